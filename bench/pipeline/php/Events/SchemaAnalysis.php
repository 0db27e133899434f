<?php

declare(strict_types=1);

namespace App\Events;

use Illuminate\Broadcasting\Channel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;

class SchemaAnalysis implements ShouldBroadcastNow
{
    /** @param array<string, mixed> $data */
    public function __construct(
        private string $status,
        private int $schemaId,
        private string $tenantId,
        private array $data
    ) {
    }

    public function broadcastOn(): Channel
    {
        return new Channel('tenant.' . $this->tenantId . '.schemas');
    }

    public function broadcastAs(): string
    {
        return 'schema.analysis';
    }

    /** @return array<string, mixed> */
    public function broadcastWith(): array
    {
        return [
            'status' => $this->status,
            'schema_id' => $this->schemaId,
            'tenant_id' => $this->tenantId,
            'data' => $this->data,
            'timestamp' => now()->toIso8601String(),
        ];
    }
}
