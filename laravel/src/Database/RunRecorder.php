<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Database;

use Closure;
use Illuminate\Database\ConnectionInterface;
use PDOException;
use Schemacast\Laravel\Options;
use Schemacast\Laravel\Task\Task;

/**
 * Writes requests into the database, where they survive the loss of Redis: the row
 * becomes pending and gets an open run, in one transaction. At most one run of a schema
 * is open; one that is open already serves as well, and learns that somebody asked.
 *
 * A row that was just inserted asks by itself, and stays as it is.
 */
final class RunRecorder
{
    private const ATTEMPTS = 3; // against deadlocks and serialization failures

    /**
     * @param Closure(): string $requester who asks when the options do not say it
     */
    public function __construct(private Closure $requester)
    {
    }

    /**
     * @param non-empty-list<int> $ids
     *
     * @return array<int, Recorded> by schema id, in the order of the ids
     */
    public function record(ConnectionInterface $database, array $ids, Options $options): array
    {
        try {
            return $database->transaction(fn () => $this->recordInTransaction($database, $ids, $options), self::ATTEMPTS);
        } catch (PDOException $e) {
            throw DatabaseFailure::translate($e);
        }
    }

    /**
     * @param non-empty-list<int> $ids
     *
     * @return array<int, Recorded>
     */
    private function recordInTransaction(ConnectionInterface $database, array $ids, Options $options): array
    {
        $rows = $this->rows($database, $ids, $options);
        $reasons = array_map(fn (object $row) => $this->standsAgainst($row, $options->force), $rows);
        $mayBeFresh = !$options->force && $options->by === null && $options->queue === Task::QUEUE;
        $wanted = array_filter($rows, static fn (object $row) => $reasons[$row->id] === '' && !($mayBeFresh && $row->fresh));
        $by = $wanted === [] ? '' : $options->by ?? ($this->requester)();
        $late = (new OpenRuns($database, $options, $by))->openOrRaise($wanted);
        $recorded = [];
        foreach ($ids as $id) {
            $row = $rows[$id] ?? null;
            $reason = $row === null ? $this->unknown($id, $options) : $late[$id] ?? $reasons[$id];
            $recorded[$id] = new Recorded($id, $row?->tenant_id, $row !== null && $reasons[$id] === '', $reason);
        }
        return $recorded;
    }

    /**
     * A row is fresh when the worker's sweeper would find it by itself: inserted since
     * the installation, untouched by anybody. An app whose clock is not UTC writes times
     * of the past or the future; its rows are recorded.
     *
     * @param non-empty-list<int> $ids
     *
     * @return array<int, object>
     */
    private function rows(ConnectionInterface $database, array $ids, Options $options): array
    {
        $marks = OpenRuns::marks($ids);
        $bindings = $ids;
        $ofTenant = '';
        if ($options->tenant !== null) {
            $ofTenant = 'AND tenant_id = ?';
            $bindings[] = $options->tenant;
        }
        $rows = $database->select(<<<SQL
            SELECT id, tenant_id, type, status, ai_analysis_status,
                COALESCE(type = 'input' AND status = 'pending' AND ai_analysis_status = 'pending'
                    AND extract(epoch FROM created_at) * 1000 >= (SELECT value::bigint FROM schemacast_meta WHERE key = 'installed_ms')
                    AND created_at <= timezone('UTC', clock_timestamp()) + interval '1 minute'
                    AND NOT EXISTS (SELECT 1 FROM schemacast_runs WHERE schema_id = schemas.id)
                    AND NOT EXISTS (SELECT 1 FROM schema_mappings WHERE schema_id = schemas.id), false) AS fresh
            FROM schemas WHERE id IN ({$marks}) {$ofTenant}
            SQL, $bindings, false);
        return array_column($rows, null, 'id');
    }

    /**
     * Why a row is not analysed, empty when nothing is in the way.
     */
    private function standsAgainst(object $row, bool $force): string
    {
        return match (true) {
            $row->type === 'struct' => "Schema {$row->id} is a canonical entity; "
                . 'name the schema that should be mapped to it.',
            $force => '',
            $row->status === 'rejected' => "Schema {$row->id} was rejected by a human; use force to analyse it all the same.",
            $row->ai_analysis_status === 'disabled' => "The analysis of schema {$row->id} is disabled; "
                . 'use force to analyse it all the same.',
            default => '',
        };
    }

    private function unknown(int $id, Options $options): string
    {
        return $options->tenant === null
            ? "No schema has the id {$id}; see the column id of the table schemas."
            : "Tenant {$options->tenant} has no schema with the id {$id}; see the columns id and tenant_id of the table schemas.";
    }
}
