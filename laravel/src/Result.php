<?php

declare(strict_types=1);

namespace Schemacast\Laravel;

use Illuminate\Contracts\Support\Arrayable;
use JsonSerializable;

/**
 * What became of the wish to have one schema analysed.
 *
 * @implements Arrayable<string, int|string>
 */
final class Result implements Arrayable, JsonSerializable
{
    // The task is in Redis and due now.
    public const ENQUEUED = 'enqueued';             // there was none
    public const ALREADY_QUEUED = 'already_queued'; // it waited or ran already; nothing was changed
    public const PROMOTED = 'promoted';             // it had waited for its retry
    public const REPLACED = 'replaced';             // an archived or completed one made room
    public const REPAIRED = 'repaired';             // remains, which could never have run, made room

    // The request is in the database, the task is not in Redis yet.
    public const DEFERRED = 'deferred'; // it goes there when the open transaction commits
    public const RECORDED = 'recorded'; // Redis is down; the worker's sweeper takes it up

    // Nothing was changed; see $reason.
    public const REFUSED = 'refused'; // the row is not to be analysed
    public const UNKNOWN = 'unknown'; // there is no such schema, or it is another tenant's

    private const QUEUED = [self::ENQUEUED, self::ALREADY_QUEUED, self::PROMOTED, self::REPLACED, self::REPAIRED];

    /**
     * Read the properties, do not write them.
     *
     * @param string $reason a sentence with the cure; empty when there is nothing to say
     */
    public function __construct(
        public int $schemaId,
        public ?string $tenantId,
        public string $outcome,
        public string $reason = ''
    ) {
    }

    /**
     * The task is in Redis.
     */
    public function queued(): bool
    {
        return in_array($this->outcome, self::QUEUED, true);
    }

    /**
     * The schema will be analysed, now or when Redis is back.
     */
    public function accepted(): bool
    {
        return !$this->refused() && !$this->unknown();
    }

    public function refused(): bool
    {
        return $this->outcome === self::REFUSED;
    }

    public function unknown(): bool
    {
        return $this->outcome === self::UNKNOWN;
    }

    /**
     * @return array{schema_id: int, outcome: string, reason: string}
     */
    public function toArray(): array
    {
        return ['schema_id' => $this->schemaId, 'outcome' => $this->outcome, 'reason' => $this->reason];
    }

    /**
     * @return array{schema_id: int, outcome: string, reason: string}
     */
    public function jsonSerialize(): array
    {
        return $this->toArray();
    }
}
