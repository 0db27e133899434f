<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Database;

use Illuminate\Database\ConnectionInterface;
use Schemacast\Laravel\Exceptions\SchemacastUnavailable;
use Schemacast\Laravel\Options;
use Schemacast\Laravel\Task\Task;

/**
 * Gives schemas an open run, inside the caller's transaction, as the worker's own
 * requests do.
 */
final class OpenRuns
{
    // The database's clock: epoch milliseconds, and as the app's timestamps hold it.
    private const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
    private const APP_NOW = "date_trunc('second', timezone('UTC', clock_timestamp()))";
    private const MAX_REQUESTED_BY = 255; // characters
    private const TRIES = 5;

    private string $by;
    private string $queue;
    // Written out: a bound boolean arrives as a number where prepares are emulated.
    private string $force;

    public function __construct(private ConnectionInterface $database, private Options $options, string $by)
    {
        $this->by = mb_substr($by, 0, self::MAX_REQUESTED_BY);
        $this->queue = $options->queue === Task::QUEUE ? '' : $options->queue;
        $this->force = $options->force ? 'true' : 'false';
    }

    /**
     * Opens a run for each row, or adds the request to the one that is open already. One
     * that ended between the two looks is opened after all.
     *
     * @param array<int, object> $rows of schemas, by id
     *
     * @return array<int, string> by schema id, what of the request came too late
     */
    public function openOrRaise(array $rows): array
    {
        ksort($rows); // everybody locks by ascending id
        $reasons = [];
        for ($try = 0; $rows !== [] && $try < self::TRIES; $try++) {
            $rows = array_diff_key($rows, $this->open($rows));
            $raised = $this->raise(array_keys($rows));
            $reasons += array_filter($raised);
            $rows = array_diff_key($rows, $raised);
        }
        if ($rows !== []) {
            $id = array_key_first($rows);
            throw new SchemacastUnavailable("The runs of schema {$id} end faster than another can be requested; ask again.");
        }
        return $reasons;
    }

    /**
     * Inserts a run where none is open, and sets those rows pending. It inserts before
     * it updates: claims lock in that order.
     *
     * @param array<int, object> $rows
     *
     * @return array<int, true> by schema id
     */
    private function open(array $rows): array
    {
        $values = $bindings = [];
        foreach ($rows as $row) {
            $values[] = "(?, ?, ?, ?, 'requested', ?, {$this->force}, ?, " . self::NOW_MS . ')';
            array_push($bindings, Ulid::make(), $row->id, $row->id, $row->tenant_id, $this->by, $this->queue);
        }
        $inserted = $this->database->select(
            'INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_by, force, queue, requested_ms) VALUES '
            . implode(', ', $values) . ' ON CONFLICT (active_schema_id) DO NOTHING RETURNING schema_id',
            $bindings,
            false
        );
        $ids = array_column($inserted, 'schema_id');
        if ($ids !== []) {
            $this->database->update(
                "UPDATE schemas SET ai_analysis_status = 'pending', updated_at = " . self::APP_NOW
                . ' WHERE id IN (' . self::marks($ids) . ')',
                $ids
            );
        }
        return array_fill_keys($ids, true);
    }

    /**
     * Notes on open runs that somebody asked again: force and the better queue go to
     * those that nobody works on yet.
     *
     * @param list<int> $ids
     *
     * @return array<int, string> by schema id what came too late, '' when nothing did
     */
    private function raise(array $ids): array
    {
        if ($ids === []) {
            return [];
        }
        $queue = $this->queue === '' ? "CASE WHEN state = 'requested' THEN '' ELSE queue END" : 'queue';
        $raised = $this->database->select(
            'UPDATE schemacast_runs SET asked_ms = ' . self::NOW_MS
            . ", force = force OR (state = 'requested' AND {$this->force}), queue = {$queue}"
            . ' WHERE active_schema_id IN (' . self::marks($ids) . ') RETURNING schema_id, force, cancelled_by',
            $ids,
            false
        );
        return array_map(fn (object $run) => match (true) {
            $run->cancelled_by !== '' => "The analysis of schema {$run->schema_id} was cancelled and is about to end; ask again when it has.",
            $this->options->force && !$run->force => "A worker analyses schema {$run->schema_id} now, without force; ask again when that has ended.",
            default => '',
        }, array_column($raised, null, 'schema_id'));
    }

    /**
     * @param non-empty-list<int> $ids
     */
    public static function marks(array $ids): string
    {
        return implode(', ', array_fill(0, count($ids), '?'));
    }
}
