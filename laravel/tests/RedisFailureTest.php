<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Illuminate\Support\Facades\DB;
use Psr\Log\AbstractLogger;
use Psr\Log\LoggerInterface;
use Schemacast\Laravel\Exceptions\NotInstalled;
use Schemacast\Laravel\Exceptions\SchemacastUnavailable;
use Schemacast\Laravel\Result;
use Schemacast\Laravel\Tests\Ground\RedisServer;

/**
 * A Redis that is down, hangs or refuses, and one that can not be used.
 */
final class RedisFailureTest extends PackageTestCase
{
    /**
     * @dataProvider clients
     */
    public function testARedisThatIsDownIsSaidAndLosesNothing(string $client): void
    {
        $server = new RedisServer();
        $this->boot(['database.redis.client' => $client], redis: $server->address);
        $this->schemacast()->analyze($this->insert());
        $server->stop();
        $id = $this->insert(['ai_analysis_status' => 'failed']);
        try {
            $this->schemacast()->analyze($id);
            self::fail('enqueued in a Redis that is down');
        } catch (SchemacastUnavailable $e) {
            self::assertTrue($e->recorded);
            self::assertMatchesRegularExpression(
                "/\ARedis at {$server->address} database 0 does not answer: .*Connection refused.*; "
                . 'start it, or correct REDIS_URL or REDIS_HOST and REDIS_PORT\.\z/',
                $e->getMessage()
            );
        }
        self::assertSame([$id], array_column($this->openRuns(), 'schema_id'));
        $server->start();
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($id)->outcome);
    }

    public function testARedisThatIsDownMayBeAWarning(): void
    {
        $server = new RedisServer();
        $server->stop();
        $this->boot(['schemacast.on_unavailable' => 'log'], redis: $server->address);
        $log = $this->log();
        $results = $this->schemacast()->analyzeMany([$this->insert(), $this->insert(), 999999]);
        self::assertSame(['recorded', 'recorded', 'unknown'], $results->map(static fn (Result $r) => $r->outcome)->values()->all());
        self::assertTrue($results->first()->accepted());
        self::assertFalse($results->first()->queued());
        self::assertCount(1, $log->warnings);
        self::assertStringContainsString('does not answer', $log->warnings[0]['error']);
    }

    public function testAfterACommitNothingIsThrown(): void
    {
        $server = new RedisServer();
        $server->stop();
        $this->boot(redis: $server->address);
        $log = $this->log();
        $id = DB::transaction(function (): int {
            $id = $this->insert(['ai_analysis_status' => 'failed']);
            $this->schemacast()->analyze($id);
            return $id;
        });
        self::assertSame([$id], array_column($this->openRuns(), 'schema_id'));
        self::assertCount(1, $log->warnings);
    }

    /**
     * @dataProvider clients
     */
    public function testRefusalsHaveACure(string $client): void
    {
        $server = new RedisServer(['--requirepass', 'geheim']);
        $id = $this->insert();
        $sentence = function (mixed $password) use ($client, $server, $id): string {
            $this->boot(['database.redis.client' => $client, 'database.redis.default.password' => $password], redis: $server->address);
            try {
                return $this->schemacast()->analyze($id)->outcome;
            } catch (SchemacastUnavailable $e) {
                return $e->getMessage();
            }
        };
        self::assertStringContainsString('wants a password: NOAUTH', $sentence(null));
        $wrong = $sentence('falsch');
        self::assertStringContainsString('refused the password: WRONGPASS', $wrong);
        self::assertStringNotContainsString('falsch', $wrong);
        self::assertSame(Result::ENQUEUED, $sentence('geheim'));
    }

    /**
     * @dataProvider clients
     */
    public function testTheLeastThatAUserOfRedisNeeds(string $client): void
    {
        // As in the README.
        $rules = '~asynq:{schemas}:* ~asynq:{schemas-backfill}:* ~asynq:queues %R~asynq:servers resetchannels -@all '
            . '+select +eval +evalsha +sadd +hmget +hset +hdel +exists +lpos +llen +lpush +lrem +zrem +zcount +info';
        $this->redis->call('ACL', 'SETUSER', 'laravel', 'reset', 'on', '>geheim', ...explode(' ', $rules));
        $this->redis->call('ACL', 'SETUSER', 'default', 'on', 'nopass');
        $readme = (string) preg_replace('/\s+/', ' ', (string) file_get_contents(__DIR__ . '/../README.md'));
        self::assertStringContainsString(" {$rules} ", $readme);
        $login = ['database.redis.client' => $client, 'database.redis.default.username' => 'laravel', 'database.redis.default.password' => 'geheim'];
        $this->boot($login);
        $id = $this->insert();
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($id)->outcome);
        $this->redis->call('HSET', "asynq:{schemas}:t:schema:analyze:{$id}", 'state', 'retry');
        self::assertSame(Result::PROMOTED, $this->schemacast()->analyze($id)->outcome);
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString('No worker lives in Redis', $this->output());
        self::assertStringNotContainsString('NOPERM', $this->output());

        $this->redis->call('ACL', 'SETUSER', 'laravel', '-lpush');
        $this->boot($login);
        $this->expectException(SchemacastUnavailable::class);
        $this->expectExceptionMessage("; grant what the package's README lists for Redis.");
        $this->schemacast()->analyze($this->insert());
    }

    /**
     * @dataProvider clients
     */
    public function testARedisThatHangsIsNotWaitedForLong(string $client): void
    {
        $server = new RedisServer();
        $this->boot(['database.redis.client' => $client, 'schemacast.redis.timeout' => 0.2], redis: $server->address);
        $this->schemacast()->analyze($this->insert());
        $server->call('CLIENT', 'PAUSE', '600000', 'ALL');
        $this->expectException(SchemacastUnavailable::class);
        $this->expectExceptionMessageMatches('/database 0 does not answer: /');
        $this->schemacast()->analyze($this->insert());
    }

    public function testAClusterIsNamed(): void
    {
        $this->boot(['database.redis.clusters.tasks' => [['host' => '127.0.0.1']], 'schemacast.redis.connection' => 'tasks']);
        $this->expectException(NotInstalled::class);
        $this->expectExceptionMessage('config/database.php has no Redis connection "tasks"; it is a cluster there, and tasks need one server.');
        $this->schemacast()->analyze($this->insert());
    }

    public function testAConnectionThatIsNotConfiguredIsNamed(): void
    {
        $this->boot(['schemacast.redis.connection' => 'tasks']);
        $this->expectException(NotInstalled::class);
        $this->expectExceptionMessage('config/database.php has no Redis connection "tasks"; set SCHEMACAST_REDIS_CONNECTION to one that is there.');
        $this->schemacast()->analyze($this->insert());
    }

    /**
     * @dataProvider clients
     */
    public function testSomethingElseUnderTheKeysIsNamed(string $client): void
    {
        $this->boot(['database.redis.client' => $client]);
        $this->redis->call('SET', 'asynq:{schemas}:pending', 'x');
        $this->expectException(SchemacastUnavailable::class);
        $this->expectExceptionMessage('holds something else under the keys of the tasks');
        $this->schemacast()->analyze($this->insert());
    }

    private function log(): LoggerInterface
    {
        $log = new class () extends AbstractLogger {
            /** @var list<array<string, mixed>> */
            public array $warnings = [];

            public function log($level, $message, array $context = []): void
            {
                if ($level === 'warning') {
                    $this->warnings[] = $context;
                }
            }
        };
        $this->app->instance('log', $log);
        return $log;
    }
}
