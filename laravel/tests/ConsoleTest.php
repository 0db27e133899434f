<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Schemacast\Laravel\Tests\Ground\RedisServer;

final class ConsoleTest extends PackageTestCase
{
    public function testNamedSchemas(): void
    {
        $first = $this->insert();
        $second = $this->insert(['ai_analysis_status' => 'failed']);
        self::assertSame(0, $this->artisan('schemacast:analyze', ['ids' => [(string) $first, (string) $second, (string) $first]]));
        self::assertSame("2 enqueued.\n", $this->output());
        self::assertSame(['artisan', 'artisan'], array_column($this->openRuns(), 'requested_by'));
    }

    public function testWhatIsNotAcceptedIsSaid(): void
    {
        $rejected = $this->insert(['status' => 'rejected']);
        $foreign = $this->insert(['tenant_id' => 't2']);
        $arguments = ['ids' => [(string) $rejected, (string) $foreign], '--tenant' => 't1'];
        self::assertSame(1, $this->artisan('schemacast:analyze', $arguments));
        self::assertSame(
            "Schema {$rejected} was rejected by a human; use force to analyse it all the same.\n"
            . "Tenant t1 has no schema with the id {$foreign}; see the columns id and tenant_id of the table schemas.\n"
            . "1 refused, 1 unknown.\n",
            $this->output()
        );
        self::assertSame(0, $this->artisan('schemacast:analyze', ['ids' => [(string) $rejected], '--force' => true, '--queue' => 'schemas-backfill']));
        self::assertSame([[true, 'schemas-backfill']], array_map(static fn (array $run) => [$run['force'], $run['queue']], $this->openRuns()));
    }

    /**
     * @dataProvider wrongCalls
     */
    public function testAWrongCall(array $arguments, string $sentence): void
    {
        self::assertSame(2, $this->artisan('schemacast:analyze', $arguments));
        self::assertSame($sentence . "\n", $this->output());
    }

    public function wrongCalls(): array
    {
        return [
            [[], 'Nothing to analyse is named; give ids of schemas, or --pending for all that wait.'],
            [['ids' => ['1'], '--pending' => true], 'Ids and --pending are both given; leave one of them out.'],
            [['ids' => ['one']], '"one" is no id of a schema; ids are whole numbers from 1 on, see the column id of the table schemas.'],
            [['--pending' => true, '--tenant' => 'Globex'], 'No tenant has the id "Globex"; see the column id of the table tenants.'],
            [['ids' => ['1'], '--queue' => 'high'], 'No worker reads the queue "high"; use "schemas" or "schemas-backfill".'],
        ];
    }

    public function testAllThatWait(): void
    {
        $this->database()->insert("INSERT INTO schemas (hash, tenant_id, sample_data, detected_fields, created_at, ai_analysis_status)
            SELECT 'h' || n, CASE WHEN n % 2 = 0 THEN 't1' ELSE 't2' END, '{}', '[]', '2020-01-01',
                CASE WHEN n % 3 = 0 THEN 'completed' ELSE 'pending' END FROM generate_series(1, 3003) AS n");
        $this->insert(['status' => 'rejected']);
        $this->insert(['type' => 'struct']);
        $this->database()->enableQueryLog();
        self::assertSame(0, $this->artisan('schemacast:analyze', ['--pending' => true, '--tenant' => 't1']));
        self::assertSame("1001 enqueued.\n", $this->output());
        // Three pages, each with one query for itself, one for its rows, and two to record.
        self::assertLessThanOrEqual(3 * 4 + 1, count($this->database()->getQueryLog()));
        self::assertSame(0, $this->artisan('schemacast:analyze', ['--pending' => true]));
        self::assertSame("1001 enqueued, 1001 already queued.\n", $this->output());
        self::assertCount(2002, $this->openRuns());
        self::assertCount(2002, array_unique($this->waiting()));
    }

    public function testNothingWaits(): void
    {
        self::assertSame(0, $this->artisan('schemacast:analyze', ['--pending' => true]));
        self::assertSame("No schema waits for its analysis.\n", $this->output());
    }

    public function testARedisThatIsDown(): void
    {
        $id = $this->insert();
        $this->boot(redis: '127.0.0.1:1');
        self::assertSame(1, $this->artisan('schemacast:analyze', ['ids' => [(string) $id]]));
        self::assertStringContainsString('Redis at 127.0.0.1:1 database 0 does not answer', $this->output());
        self::assertSame([$id], array_column($this->openRuns(), 'schema_id'));
    }

    public function testCheckFindsAWorkerInAnotherDatabase(): void
    {
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString("database: ok\nNo worker lives in Redis at {$this->redis->address} database 0; start one", $this->output());
        $alive = fn (int $database) => $this->redis->callIn($database, 'ZADD', 'asynq:servers', (string) (time() + 10), 'asynq:servers:{worker}');
        $alive(3);
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString(
            "No worker lives in Redis at {$this->redis->address} database 0, but there is one in database 3; "
            . "set SCHEMACAST_REDIS_DB=3, or the worker's REDIS_DB=0.\n",
            $this->output()
        );
        $alive(0);
        self::assertSame(0, $this->artisan('schemacast:check'));
        self::assertSame("database: ok\nredis: ok\n", $this->output());
    }

    public function testCheckSaysWhyRedisDoesNotAnswer(): void
    {
        $server = new RedisServer();
        $server->stop();
        $this->boot(redis: $server->address);
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString("database: ok\nRedis at {$server->address} database 0 does not answer", $this->output());
    }
}
