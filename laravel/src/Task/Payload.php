<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Task;

use Schemacast\Laravel\Exceptions\InvalidRequest;

/**
 * What a task says: ids only, the rest is in the database.
 */
final class Payload
{
    private const VERSION = 1;
    private const MAX_BYTES = 1024;
    private const MAX_TENANT = 255; // characters, the width of the app's column

    public function __construct(private int $schemaId, private string $tenantId = '')
    {
    }

    /**
     * JSON with sorted keys and nothing escaped that does not need it, the bytes that
     * the Go producer makes.
     *
     * @throws InvalidRequest
     */
    public function encode(): string
    {
        $this->check();
        $keys = ['schema_id' => $this->schemaId];
        if ($this->tenantId !== '') {
            $keys['tenant_id'] = $this->tenantId;
        }
        $keys['v'] = self::VERSION;
        $json = json_encode($keys, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
        if (strlen($json) > self::MAX_BYTES) {
            throw $this->invalid(sprintf(
                'needs a task of %d bytes, and at most %d are allowed; shorten its tenant_id',
                strlen($json),
                self::MAX_BYTES
            ));
        }
        return $json;
    }

    /**
     * Whether a worker would take it.
     */
    public function fits(): bool
    {
        try {
            $this->encode();
            return true;
        } catch (InvalidRequest) {
            return false;
        }
    }

    private function check(): void
    {
        if ($this->schemaId < 1) {
            throw $this->invalid('has no id that a row can have; send the id of a row in schemas, 1 or more');
        }
        $tenant = $this->tenantId;
        if (!mb_check_encoding($tenant, 'UTF-8') || str_contains($tenant, "\u{FFFD}")) {
            throw $this->invalid('has a tenant_id that is not valid Unicode; send the id as it is in tenants');
        }
        if (str_contains($tenant, "\0")) {
            throw $this->invalid('has a NUL character in its tenant_id; send the id as it is in tenants');
        }
        $length = mb_strlen($tenant, 'UTF-8');
        if ($length > self::MAX_TENANT) {
            throw $this->invalid(sprintf('has a tenant_id of %d characters; at most %d exist', $length, self::MAX_TENANT));
        }
    }

    private function invalid(string $what): InvalidRequest
    {
        return new InvalidRequest("Schema {$this->schemaId} {$what}.");
    }
}
