<?php

declare(strict_types=1);

// Measures how many requests a PHP process makes in a second: php tests/bench.php 100000, with
// SCHEMACAST_TEST_POSTGRES set, and how many at once. Prints a table; asserts nothing.

use Illuminate\Contracts\Console\Kernel;
use Schemacast\Laravel\Schemacast;
use Schemacast\Laravel\Tests\Ground\Postgres;
use Schemacast\Laravel\Tests\Ground\RedisServer;
use Schemacast\Laravel\Tests\Ground\TestApp;

require __DIR__ . '/bootstrap.php';

$few = 1000; // one by one
$many = (int) ($argv[1] ?? 20000); // at once

$redis = RedisServer::shared();
foreach (['phpredis', 'predis'] as $client) {
    $app = TestApp::make(Postgres::fresh(), $redis->address, ['database.redis.client' => $client]);
    $app->make(Kernel::class)->call('migrate', ['--force' => true]);
    $database = $app['db']->connection();
    $database->insert("INSERT INTO tenants (id, name) VALUES ('t1', 'One')");
    $schemacast = $app->make(Schemacast::class);

    $insert = static function (int $count, string $status) use ($database): array {
        $rows = $database->select(
            "INSERT INTO schemas (hash, tenant_id, sample_data, detected_fields, created_at, ai_analysis_status)
            SELECT gen_random_uuid(), 't1', '{}', '[]', timezone('UTC', now()) + interval '1 second', ? FROM generate_series(1, ?) RETURNING id",
            [$status, $count]
        );
        return array_column($rows, 'id');
    };
    $measure = static function (string $what, int $count, callable $work) use ($client, $redis): void {
        $redis->call('FLUSHALL');
        $start = hrtime(true);
        $work();
        $seconds = (hrtime(true) - $start) / 1e9;
        printf("%-9s %-44s %8d in %6.2f s = %7.0f/s\n", $client, $what, $count, $seconds, $count / $seconds);
    };

    $ids = $insert($few, 'pending');
    $schemacast->analyze($ids[0]);
    $measure('analyze, fresh rows, one by one', $few, fn () => array_map([$schemacast, 'analyze'], $ids));
    $ids = $insert($few, 'failed');
    $measure('analyze, recorded, one by one', $few, fn () => array_map([$schemacast, 'analyze'], $ids));
    $ids = $insert($many, 'failed');
    $measure('analyzeMany, recorded', $many, static fn () => $schemacast->analyzeMany($ids));
    $database->update('UPDATE schemacast_runs SET active_schema_id = NULL');
    $database->update("UPDATE schemas SET ai_analysis_status = 'pending'");
    $command = static fn () => $app->make(Kernel::class)->call('schemacast:analyze', ['--pending' => true]);
    $measure('schemacast:analyze --pending', $many + 2 * $few, $command);
    printf("%-9s peak memory %.0f MiB\n", $client, memory_get_peak_usage(true) / 1048576);
    $app['db']->purge();
}
