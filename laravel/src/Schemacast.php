<?php

declare(strict_types=1);

namespace Schemacast\Laravel;

use Illuminate\Database\Connection;
use Illuminate\Database\DatabaseManager;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Support\Collection;
use Psr\Log\LoggerInterface;
use Schemacast\Laravel\Database\Inspection;
use Schemacast\Laravel\Database\Recorded;
use Schemacast\Laravel\Database\RunRecorder;
use Schemacast\Laravel\Exceptions\InvalidRequest;
use Schemacast\Laravel\Exceptions\NotInstalled;
use Schemacast\Laravel\Exceptions\SchemacastException;
use Schemacast\Laravel\Exceptions\SchemacastUnavailable;
use Schemacast\Laravel\Redis\Producer;
use Schemacast\Laravel\Task\Task;

/**
 * Asks for analyses. A request goes into the database first, then a task goes into
 * Redis: what is recorded is analysed, whatever becomes of Redis.
 *
 * Inside an open transaction the request is part of it, and the task is sent after the
 * commit; a transaction that is rolled back leaves neither.
 */
class Schemacast
{
    public const VERSION = '1.0.0';

    private const CHUNK = 500; // requests in one transaction

    /**
     * @param array<string, mixed> $config config/schemacast.php
     */
    public function __construct(
        private DatabaseManager $databases,
        private RunRecorder $recorder,
        private Producer $producer,
        private LoggerInterface $log,
        protected array $config
    ) {
    }

    /**
     * Asks for the analysis of one schema, by its row or id.
     *
     * @param string|null $tenant a schema of another tenant is unknown; null for any tenant
     * @param bool        $force  the result may replace what humans decided: mappings, names, a rejection
     * @param string|null $queue  "schemas" or "schemas-backfill"; defaults to the configured one
     * @param string|null $by     who asks, for the history and the channel user.{by}.schemas; defaults to the
     *                            id of the user who is logged in. A fresh row is recorded only when it is given.
     *
     * @throws SchemacastException
     */
    public function analyze(
        Model|int|string $schema,
        ?string $tenant = null,
        bool $force = false,
        ?string $queue = null,
        ?string $by = null
    ): Result {
        return $this->analyzeMany([$schema], $tenant, $force, $queue, $by)->first();
    }

    /**
     * Asks for the analysis of many schemas. See analyze.
     *
     * @param iterable<Model|int|string> $schemas
     *
     * @return Collection<int, Result> by schema id, in the order of the schemas
     *
     * @throws SchemacastException
     */
    public function analyzeMany(
        iterable $schemas,
        ?string $tenant = null,
        bool $force = false,
        ?string $queue = null,
        ?string $by = null
    ): Collection {
        $options = $this->options($tenant, $force, $queue, $by);
        $ids = $this->ids($schemas);
        $database = $this->database();
        $open = $database->transactionLevel() > 0;
        $recorded = [];
        foreach (array_chunk($ids, self::CHUNK) as $chunk) {
            $recorded += $this->recorder->record($database, $chunk, $options);
        }
        $accepted = array_filter($recorded, static fn (Recorded $r) => $r->open);
        $tenants = array_map(static fn (Recorded $r) => (string) $r->tenantId, $accepted);
        if ($tenants === []) {
            return $this->results($recorded, [], Result::UNKNOWN);
        }
        if ($open) {
            $database->afterCommit(fn () => $this->enqueueAfterCommit($tenants, $options->queue));
            return $this->results($recorded, [], Result::DEFERRED);
        }
        return $this->results($recorded, $this->enqueue($tenants, $options->queue), Result::RECORDED);
    }

    /**
     * @throws InvalidRequest
     */
    protected function options(?string $tenant, bool $force, ?string $queue, ?string $by): Options
    {
        return new Options($tenant, $force, $queue ?? (string) ($this->config['queue'] ?? Task::QUEUE), $by);
    }

    /**
     * @param iterable<mixed> $schemas
     *
     * @return list<int> each id once
     *
     * @throws InvalidRequest
     */
    protected function ids(iterable $schemas): array
    {
        $ids = [];
        foreach ($schemas as $schema) {
            $ids[Options::schemaId($schema)] = true;
        }
        return array_keys($ids);
    }

    private function database(): Connection
    {
        $database = $this->databases->connection($this->config['connection'] ?? null);
        $unsuitable = Inspection::unsuitable($database);
        if ($unsuitable !== '') {
            throw new NotInstalled($unsuitable);
        }
        return $database;
    }

    /**
     * @param array<int, string> $tenants
     *
     * @return array<int, string> empty when Redis is down and that is only worth a warning
     *
     * @throws SchemacastUnavailable
     */
    private function enqueue(array $tenants, string $queue): array
    {
        try {
            return $this->producer->enqueue($tenants, $queue);
        } catch (SchemacastUnavailable $e) {
            if (($this->config['on_unavailable'] ?? 'throw') !== 'log') {
                throw $e;
            }
            $this->warn($e, $tenants);
            return [];
        }
    }

    /**
     * An exception would tell the caller that the transaction has failed, and it has not.
     *
     * @param array<int, string> $tenants
     */
    private function enqueueAfterCommit(array $tenants, string $queue): void
    {
        try {
            $this->producer->enqueue($tenants, $queue);
        } catch (SchemacastException $e) {
            $this->warn($e, $tenants);
        }
    }

    /**
     * @param array<int, string> $tenants
     */
    private function warn(SchemacastException $e, array $tenants): void
    {
        $this->log->warning('Schemacast: the task was not enqueued, the sweeper takes the schemas up', [
            'error' => $e->getMessage(),
            'schemas' => count($tenants),
            'first_schema_id' => array_key_first($tenants),
        ]);
    }

    /**
     * @param array<int, Recorded> $recorded
     * @param array<int, string>   $outcomes
     *
     * @return Collection<int, Result>
     */
    private function results(array $recorded, array $outcomes, string $default): Collection
    {
        return (new Collection($recorded))->map(static fn (Recorded $r) => new Result(
            $r->schemaId,
            $r->tenantId,
            match (true) {
                $r->open => $outcomes[$r->schemaId] ?? $default,
                $r->tenantId === null => Result::UNKNOWN,
                default => Result::REFUSED,
            },
            $r->reason
        ));
    }
}
