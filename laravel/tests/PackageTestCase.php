<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Illuminate\Contracts\Console\Kernel;
use Illuminate\Database\Connection;
use Illuminate\Foundation\Application;
use Illuminate\Support\Facades\Facade;
use PHPUnit\Framework\TestCase;
use Schemacast\Laravel\Schemacast;
use Schemacast\Laravel\Tests\Ground\Postgres;
use Schemacast\Laravel\Tests\Ground\RedisServer;
use Schemacast\Laravel\Tests\Ground\TestApp;

/**
 * A test with an application, an empty Redis and the app's tables on PostgreSQL, without
 * rows but for the tenants t1 and t2.
 */
abstract class PackageTestCase extends TestCase
{
    private static bool $migrated = false;

    protected Application $app;
    protected RedisServer $redis;

    protected function setUp(): void
    {
        if (!Postgres::available()) {
            self::markTestSkipped('SCHEMACAST_TEST_POSTGRES is not set: `make test-laravel` starts it');
        }
        $this->redis = RedisServer::shared();
        $this->redis->call('FLUSHALL');
        $this->redis->call('SCRIPT', 'FLUSH');
        $this->boot();
        if (!self::$migrated) {
            $this->artisan('migrate', ['--force' => true]);
            self::$migrated = true;
        }
        $this->database()->unprepared(
            // Much faster than TRUNCATE for so few rows.
            'DELETE FROM schema_mappings; DELETE FROM schemas; DELETE FROM users; DELETE FROM tenants;'
            . 'DELETE FROM schemacast_runs; DELETE FROM schemacast_streams; DELETE FROM schemacast_events;'
            . "INSERT INTO tenants (id, name) VALUES ('t1', 'One'), ('t2', 'Two')"
        );
    }

    /**
     * The clients of Redis that Laravel knows, as a data provider.
     */
    public function clients(): array
    {
        return ['phpredis' => ['phpredis'], 'predis' => ['predis']];
    }

    protected function tearDown(): void
    {
        $this->app['db']->purge();
        Facade::clearResolvedInstances();
        $this->app->flush();
    }

    /**
     * @param array<string, mixed> $config by dotted key
     */
    protected function boot(array $config = [], ?string $postgres = null, ?string $redis = null): void
    {
        $this->app = TestApp::make($postgres ?? Postgres::shared(), $redis ?? $this->redis->address, $config);
    }

    protected function schemacast(): Schemacast
    {
        return $this->app->make(Schemacast::class);
    }

    protected function database(): Connection
    {
        return $this->app['db']->connection();
    }

    /**
     * @param array<string, mixed> $arguments
     */
    protected function artisan(string $command, array $arguments = []): int
    {
        return $this->app->make(Kernel::class)->call($command, $arguments);
    }

    protected function output(): string
    {
        return $this->app->make(Kernel::class)->output();
    }

    /**
     * A row as the app's API inserts it.
     *
     * @param array<string, mixed> $columns
     */
    protected function insert(array $columns = []): int
    {
        return $this->database()->table('schemas')->insertGetId($columns + [
            'hash' => bin2hex(random_bytes(8)), 'tenant_id' => 't1', 'sample_data' => '{}', 'detected_fields' => '[]',
            'created_at' => gmdate('Y-m-d H:i:s', time() + 1), 'updated_at' => gmdate('Y-m-d H:i:s'),
        ]);
    }

    /**
     * @return list<string> ids of waiting tasks, the next one first
     */
    protected function waiting(string $queue = 'schemas', int $database = 0): array
    {
        return array_reverse($this->redis->callIn($database, 'LRANGE', 'asynq:{' . $queue . '}:pending', '0', '-1'));
    }

    /**
     * @return list<array<string, mixed>> open runs, by schema
     */
    protected function openRuns(): array
    {
        $rows = $this->database()->table('schemacast_runs')->whereNotNull('active_schema_id')->orderBy('schema_id')
            ->get(['schema_id', 'tenant_id', 'state', 'requested_by', 'force', 'queue']);
        return $rows->map(static fn (object $row) => (array) $row)->all();
    }

    protected function status(int $id): string
    {
        return $this->database()->table('schemas')->where('id', $id)->value('ai_analysis_status');
    }
}
