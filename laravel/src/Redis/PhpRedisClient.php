<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

use Redis;
use RedisException;

/**
 * On the extension phpredis. Raw commands bypass its prefix and its serializer.
 */
final class PhpRedisClient implements Client
{
    public function __construct(private Redis $redis)
    {
        // Its own reconnection in the middle of a pipeline mixes up the answers; the
        // producer makes a new connection instead.
        $redis->setOption(Redis::OPT_MAX_RETRIES, 0);
    }

    public function send(array $commands): array
    {
        try {
            return count($commands) === 1 ? [$this->sendOne($commands[0])] : $this->pipeline($commands);
        } catch (RedisException $e) {
            // It throws for some answers, too, in the middle of a pipeline, and then
            // leaves the rest of the answers unread.
            throw new RedisFailure($e->getMessage(), 0, $e);
        }
    }

    /**
     * @param list<string> $command
     */
    private function sendOne(array $command): mixed
    {
        $this->redis->clearLastError();
        $reply = $this->redis->rawCommand(...$command);
        $error = $this->redis->getLastError();
        return $error === null ? $reply : new RedisFailure($error);
    }

    /**
     * @param list<list<string>> $commands
     *
     * @return list<mixed>
     */
    private function pipeline(array $commands): array
    {
        $this->redis->clearLastError();
        $pipe = $this->redis->multi(Redis::PIPELINE);
        foreach ($commands as $command) {
            $pipe->rawCommand(...$command);
        }
        $replies = $pipe->exec();
        if (!is_array($replies) || count($replies) !== count($commands)) {
            throw new RedisFailure('the connection broke while the answers came in');
        }
        // Of several errors it keeps the text of the last one alone.
        $error = $this->redis->getLastError();
        if ($error === null) {
            return $replies;
        }
        return array_map(static fn ($reply) => $reply === false ? new RedisFailure($error) : $reply, $replies);
    }
}
