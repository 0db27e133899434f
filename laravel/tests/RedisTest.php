<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Redis as RedisFacade;
use Schemacast\Laravel\Exceptions\NotInstalled;
use Schemacast\Laravel\Exceptions\SchemacastUnavailable;
use Schemacast\Laravel\Result;
use Schemacast\Laravel\Tests\Ground\RedisServer;

/**
 * Both clients, and what the app does to its own connection.
 */
final class RedisTest extends PackageTestCase
{
    /**
     * @dataProvider clients
     */
    public function testTheAppsOwnPrefixAndSerializerDoNotApply(string $client): void
    {
        $this->boot([
            'database.redis.client' => $client,
            'database.redis.options' => ['prefix' => 'app_', 'serializer' => \Redis::SERIALIZER_PHP, 'compression' => 0],
            'database.redis.default.prefix' => 'mine_',
            'database.redis.default.options' => ['prefix' => 'ours_', 'serializer' => \Redis::SERIALIZER_JSON],
        ]);
        RedisFacade::connection()->set('key', 'value');
        $id = $this->insert();
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($id)->outcome);
        $keys = array_values(array_filter($this->redis->call('KEYS', '*'), static fn (string $key) => !str_ends_with($key, 'key')));
        sort($keys);
        self::assertSame(['asynq:queues', 'asynq:{schemas}:pending', "asynq:{schemas}:t:schema:analyze:{$id}"], $keys);
        self::assertSame(['schemas'], $this->redis->call('SMEMBERS', 'asynq:queues'));
        self::assertSame('pending', $this->redis->call('HGET', $keys[2], 'state'));
        self::assertStringStartsWith("\x0a\x0eschema:analyze\x12", $this->redis->call('HGET', $keys[2], 'msg'));
        self::assertEqualsWithDelta(microtime(true), (int) $this->redis->call('HGET', $keys[2], 'pending_since') / 1e9, 60.0);
        // The app's own connection is as it was.
        self::assertSame('value', RedisFacade::connection()->get('key'));
    }

    /**
     * @dataProvider clients
     */
    public function testEachStateOfATaskHasAnOutcome(string $client): void
    {
        $this->boot(['database.redis.client' => $client]);
        $states = ['already_queued' => [], 'promoted' => ['retry'], 'replaced' => ['archived'], 'repaired' => ['active'], 'enqueued' => null];
        $ids = [];
        foreach ($states as $outcome => $move) {
            $id = $ids[$outcome] = $this->insert();
            if ($move === null) {
                continue;
            }
            $this->schemacast()->analyze($id);
            if ($move !== []) {
                $this->redis->call('LREM', 'asynq:{schemas}:pending', '0', "schema:analyze:{$id}");
                $this->redis->call('HSET', "asynq:{schemas}:t:schema:analyze:{$id}", 'state', $move[0]);
            }
        }
        $results = $this->schemacast()->analyzeMany($ids);
        self::assertSame(array_keys($states), $results->map(static fn (Result $r) => $r->outcome)->values()->all());
        self::assertTrue($results->every->queued());
    }

    /**
     * @dataProvider clients
     */
    public function testAForgottenScriptIsSentAgain(string $client): void
    {
        $this->boot(['database.redis.client' => $client]);
        $ids = [];
        for ($i = 0; $i < 3; $i++) {
            array_push($ids, $this->insert(), $this->insert());
            $this->redis->call('SCRIPT', 'FLUSH');
            self::assertTrue($this->schemacast()->analyzeMany($ids)->every->queued());
        }
        self::assertCount(6, $this->waiting());
    }

    /**
     * @dataProvider clients
     */
    public function testAConnectionThatWasClosedMeanwhileIsMadeAgain(string $client): void
    {
        $this->boot(['database.redis.client' => $client]);
        $this->schemacast()->analyze($this->insert());
        $this->redis->call('CLIENT', 'KILL', 'TYPE', 'normal');
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($this->insert())->outcome);
    }

    /**
     * @dataProvider clients
     */
    public function testAnotherDatabaseNumber(string $client): void
    {
        $this->boot(['database.redis.client' => $client, 'database.redis.default.database' => '1', 'schemacast.redis.database' => '2']);
        $id = $this->insert();
        $this->schemacast()->analyze($id);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting(database: 2));
        $this->boot(['database.redis.client' => $client, 'database.redis.default.database' => '99']);
        $this->expectException(SchemacastUnavailable::class);
        $this->expectExceptionMessageMatches('/\ARedis at \S+ database 99 refused the task: ERR DB index is out of range/');
        $this->schemacast()->analyze($id);
    }

    /**
     * @dataProvider clients
     */
    public function testPersistentConnectionsKeepTheirDatabases(string $client): void
    {
        $this->boot(['database.redis.client' => $client, 'database.redis.default.persistent' => true, 'schemacast.redis.database' => 2]);
        $id = $this->insert();
        RedisFacade::connection()->set('key', '1');
        $this->schemacast()->analyze($id);
        RedisFacade::connection()->set('key', '2');
        self::assertSame('2', $this->redis->call('GET', 'laravel_database_key'));
        $this->schemacast()->analyze($id);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting(database: 2));
        self::assertSame([], $this->waiting());
        // A new application in the same process takes the sockets over.
        $this->boot(['database.redis.client' => $client, 'database.redis.default.persistent' => true]);
        $this->schemacast()->analyze($id);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting());
    }

    public function testPredisFindsTheMasterBehindSentinels(): void
    {
        $sentinel = RedisServer::sentinelOf($this->redis);
        $list = [
            'tcp://' . $sentinel->address,
            'options' => ['replication' => 'sentinel', 'service' => 'mymaster', 'prefix' => 'x_', 'parameters' => ['database' => 1]],
        ];
        $this->boot(['database.redis.client' => 'predis', 'database.redis.tasks' => $list, 'schemacast.redis.connection' => 'tasks']);
        $id = $this->insert();
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($id)->outcome);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting(database: 1));
        $this->artisan('schemacast:check');
        self::assertStringContainsString("No worker lives in Redis at the master of the sentinels {$sentinel->address} database 1;", $this->output());

        $this->boot(['database.redis.tasks' => $list, 'schemacast.redis.connection' => 'tasks']);
        $this->expectException(NotInstalled::class);
        $this->expectExceptionMessage('The Redis connection "tasks" is a list of servers; tasks need one server, or with predis');
        $this->schemacast()->analyze($id);
    }

    /**
     * @dataProvider clients
     */
    public function testAUrlIsUnderstood(string $client): void
    {
        $this->boot(['database.redis.client' => $client, 'database.redis.default' => ['url' => "redis://:@{$this->redis->address}/4"]]);
        $id = $this->insert();
        $this->schemacast()->analyze($id);
        self::assertSame(["schema:analyze:{$id}"], $this->waiting(database: 4));
    }

    /**
     * @dataProvider clients
     */
    public function testTheTraceOfTheRequestGoesOn(string $client): void
    {
        $this->boot(['database.redis.client' => $client]);
        $trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
        request()->headers->set('traceparent', $trace);
        $id = $this->insert();
        $this->schemacast()->analyze($id);
        $message = $this->redis->call('HGET', "asynq:{schemas}:t:schema:analyze:{$id}", 'msg');
        self::assertStringContainsString("traceparent\x12\x37{$trace}", $message);
        self::assertStringContainsString('producer' . "\x12\x0dlaravel/1.0.0", $message);
    }
}
