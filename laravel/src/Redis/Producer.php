<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

use Closure;
use Schemacast\Laravel\Exceptions\SchemacastUnavailable;
use Schemacast\Laravel\Result;
use Schemacast\Laravel\Task\Payload;
use Schemacast\Laravel\Task\Task;

/**
 * Puts tasks into Redis with the script that all producers share. Asked any number of
 * times, by any number of producers, a schema has one waiting task, and that is due now.
 */
final class Producer
{
    // 500 gave ten times the rate of single calls and keeps Redis busy for some 10 ms.
    private const BATCH = 500;
    private const KEY_QUEUES = 'asynq:queues';

    // The results of enqueue.lua.
    private const OUTCOMES = [
        Result::ALREADY_QUEUED, Result::ENQUEUED, Result::REPLACED, Result::PROMOTED, Result::REPAIRED,
    ];

    private ?Client $client = null;
    private string $script;
    private string $sha;

    /**
     * @param string                  $name        who enqueues, as program/version; workers log it
     * @param Closure(): string       $traceparent the caller's W3C trace, or ''
     */
    public function __construct(private Connector $connector, private string $name, private Closure $traceparent)
    {
        $this->script = (string) file_get_contents(__DIR__ . '/../../resources/enqueue.lua');
        $this->sha = sha1($this->script);
    }

    /**
     * @param array<int, string> $tenants tenant id by schema id
     *
     * @return array<int, string> outcome by schema id
     *
     * @throws SchemacastUnavailable when Redis fails; the same call may simply be made again
     */
    public function enqueue(array $tenants, string $queue): array
    {
        $outcomes = [];
        foreach (array_chunk($tenants, self::BATCH, true) as $batch) {
            $calls = [];
            foreach ($batch as $schemaId => $tenant) {
                $calls[$schemaId] = $this->call($schemaId, $tenant, $queue);
            }
            try {
                $outcomes += $this->sendOverFreshConnection($calls, $queue);
            } catch (RedisFailure $e) {
                $this->client = null;
                throw new SchemacastUnavailable($e->sentence($this->connector->server->address()), true, $e);
            }
        }
        return $outcomes;
    }

    /**
     * @return list<string> the arguments of EVAL and EVALSHA, without the script
     */
    private function call(int $schemaId, string $tenant, string $queue): array
    {
        $id = Task::id($schemaId);
        $keys = Task::keys($queue, $id);
        $payload = new Payload($schemaId, $tenant);
        if (!$payload->fits()) {
            // The tenant is a cross-check; one with an odd id must not stop the others.
            $payload = new Payload($schemaId);
        }
        $message = Task::message($payload, $queue, $id, $this->name, ($this->traceparent)());
        // Unix nanoseconds do not fit into a float without loss.
        [$fraction, $seconds] = explode(' ', microtime());
        $now = $seconds . substr($fraction, 2, 6) . '000';
        return [(string) count($keys), ...$keys, $message, $id, $now];
    }

    /**
     * A connection that was open may have been closed by the server meanwhile, as it
     * does with idle ones; only a fresh one says that Redis is down.
     *
     * @param array<int, list<string>> $calls
     *
     * @return array<int, string>
     */
    private function sendOverFreshConnection(array $calls, string $queue): array
    {
        if ($this->client !== null) {
            try {
                return $this->send($this->client, $calls, $queue);
            } catch (RedisFailure $e) {
                if ($e->isAnswer()) {
                    throw $e;
                }
            }
        }
        $this->client = $this->connector->connect();
        return $this->send($this->client, $calls, $queue);
    }

    /**
     * @param array<int, list<string>> $calls
     *
     * @return array<int, string>
     */
    private function send(Client $client, array $calls, string $queue): array
    {
        $outcomes = [];
        while ($calls !== []) {
            // The set goes first, and with every batch: without it a queue works but is
            // invisible to the worker's tools, and FLUSHALL may have taken it.
            $commands = [['SADD', self::KEY_QUEUES, $queue]];
            foreach ($calls as $call) {
                $commands[] = ['EVALSHA', $this->sha, ...$call];
            }
            $replies = $client->send($commands);
            if ($replies[0] instanceof RedisFailure && !$replies[0]->isForgottenScript()) {
                throw $replies[0];
            }
            foreach (array_keys($calls) as $n => $schemaId) {
                if (!$replies[$n + 1] instanceof RedisFailure) {
                    $outcomes[$schemaId] = $this->outcome($replies[$n + 1]);
                    unset($calls[$schemaId]);
                }
            }
            if ($calls !== []) {
                $outcomes += $this->sendScript($client, $calls);
                $calls = array_diff_key($calls, $outcomes);
            }
        }
        return $outcomes;
    }

    /**
     * Sends the first call with the whole script, which Redis forgets at a restart, a
     * failover and SCRIPT FLUSH. Alone, since in a pipeline not every client tells
     * which error belongs to which call.
     *
     * @param non-empty-array<int, list<string>> $calls
     *
     * @return array<int, string>
     */
    private function sendScript(Client $client, array $calls): array
    {
        $schemaId = array_key_first($calls);
        [$reply] = $client->send([['EVAL', $this->script, ...$calls[$schemaId]]]);
        if ($reply instanceof RedisFailure) {
            throw $reply;
        }
        return [$schemaId => $this->outcome($reply)];
    }

    private function outcome(mixed $reply): string
    {
        if (!is_int($reply) || !isset(self::OUTCOMES[$reply])) {
            throw new RedisFailure('ERR the script answered ' . json_encode($reply));
        }
        return self::OUTCOMES[$reply];
    }
}
