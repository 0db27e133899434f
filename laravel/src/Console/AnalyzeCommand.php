<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Console;

use Generator;
use Illuminate\Console\Command;
use Illuminate\Database\Connection;
use Illuminate\Database\DatabaseManager;
use PDOException;
use Schemacast\Laravel\Database\DatabaseFailure;
use Schemacast\Laravel\Exceptions\InvalidRequest;
use Schemacast\Laravel\Exceptions\SchemacastException;
use Schemacast\Laravel\Options;
use Schemacast\Laravel\Schemacast;

/**
 * Asks for analyses from a shell. Exit code 0 when all are accepted, 1 when some are not
 * or something does not answer, 2 when the call itself is wrong.
 */
final class AnalyzeCommand extends Command
{
    private const PAGE = 500; // rows
    private const REQUESTED_BY = 'artisan';

    protected $signature = 'schemacast:analyze
        {ids?* : Ids of schemas, the column id of the table schemas}
        {--pending : All schemas that wait for their analysis}
        {--tenant= : Only schemas of this tenant, by its id}
        {--force : Let the result replace what humans decided: mappings, names, a rejection}
        {--queue= : schemas, or schemas-backfill, which never delays what somebody waits for}';

    protected $description = 'Ask Schemacast to analyse schemas';

    /** @var array<string, int> number of schemas by outcome */
    private array $counts = [];

    public function handle(Schemacast $schemacast, DatabaseManager $databases): int
    {
        $this->counts = []; // a long-lived process calls the same command again
        try {
            $database = $databases->connection($this->laravel['config']['schemacast.connection']);
            foreach ($this->pages($database) as $ids) {
                $this->analyze($schemacast, $ids);
            }
        } catch (InvalidRequest $e) {
            $this->error($e->getMessage());
            return 2;
        } catch (SchemacastException $e) {
            $this->error($e->getMessage());
            $this->summary();
            return 1;
        } catch (PDOException $e) {
            $this->error(DatabaseFailure::translate($e)->getMessage());
            return 1;
        }
        $this->summary();
        return isset($this->counts['refused']) || isset($this->counts['unknown']) ? 1 : 0;
    }

    /**
     * @return Generator<int, non-empty-list<int>>
     */
    private function pages(Connection $database): Generator
    {
        $ids = array_map([Options::class, 'schemaId'], (array) $this->argument('ids'));
        if (($ids !== []) === (bool) $this->option('pending')) {
            throw new InvalidRequest($ids === []
                ? 'Nothing to analyse is named; give ids of schemas, or --pending for all that wait.'
                : 'Ids and --pending are both given; leave one of them out.');
        }
        $this->checkTenant($database);
        if ($ids !== []) {
            yield from array_chunk(array_values(array_unique($ids)), self::PAGE);
            return;
        }
        yield from $this->pendingPages($database);
    }

    /**
     * Pages by id, so that no page costs more than the first, and rows that come and
     * go meanwhile shift nothing.
     *
     * @return Generator<int, non-empty-list<int>>
     */
    private function pendingPages(Connection $database): Generator
    {
        $after = 0;
        do {
            $query = $database->table('schemas')->useWritePdo()
                ->where('type', 'input')->where('status', 'pending')->where('ai_analysis_status', 'pending')
                ->where('id', '>', $after)->orderBy('id')->limit(self::PAGE);
            if ($this->tenant() !== null) {
                $query->where('tenant_id', $this->tenant());
            }
            $ids = $query->pluck('id')->all();
            if ($ids !== []) {
                yield $ids;
                $after = end($ids);
            }
        } while (count($ids) === self::PAGE);
    }

    /**
     * @param non-empty-list<int> $ids
     */
    private function analyze(Schemacast $schemacast, array $ids): void
    {
        $queue = (string) $this->option('queue');
        $results = $schemacast->analyzeMany(
            $ids,
            tenant: $this->tenant(),
            force: (bool) $this->option('force'),
            queue: $queue === '' ? null : $queue,
            by: self::REQUESTED_BY
        );
        foreach ($results as $result) {
            $this->counts[$result->outcome] = ($this->counts[$result->outcome] ?? 0) + 1;
            if ($result->reason !== '') {
                $this->warn($result->reason);
            }
        }
    }

    private function tenant(): ?string
    {
        $tenant = $this->option('tenant');
        return $tenant === null ? null : (string) $tenant;
    }

    private function checkTenant(Connection $database): void
    {
        $tenant = $this->tenant();
        if ($tenant !== null && !$database->table('tenants')->useWritePdo()->where('id', $tenant)->exists()) {
            throw new InvalidRequest("No tenant has the id \"{$tenant}\"; see the column id of the table tenants.");
        }
    }

    private function summary(): void
    {
        if ($this->counts === []) {
            $this->line('No schema waits for its analysis.');
            return;
        }
        $parts = [];
        foreach ($this->counts as $outcome => $count) {
            $parts[] = $count . ' ' . str_replace('_', ' ', $outcome);
        }
        $this->line(implode(', ', $parts) . '.');
    }
}
