<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

use RuntimeException;

/**
 * What Redis answered instead of a result, or why it did not answer.
 */
final class RedisFailure extends RuntimeException
{
    /** Refusals that somebody can do something about. The values complete two sentences. */
    private const ANSWERS = [
        'NOAUTH' => ['wants a password', 'set REDIS_PASSWORD'],
        'WRONGPASS' => ['refused the password', 'correct REDIS_USERNAME and REDIS_PASSWORD'],
        'NOPERM' => ['forbids the user to enqueue', 'grant what the package\'s README lists for Redis'],
        'OOM' => ['is out of memory', 'raise maxmemory or let the workers catch up'],
        'MISCONF' => ['can not save to its disk', 'free the disk of the Redis server'],
        'READONLY' => ['is a replica', 'point REDIS_HOST at the master'],
        'LOADING' => ['is still loading its data', 'wait a moment'],
        'WRONGTYPE' => [
            'holds something else under the keys of the tasks',
            'set REDIS_DB, of the app and the worker, to a database without keys asynq:* of others',
        ],
    ];

    /**
     * Whether the failure is an answer, as opposed to none.
     */
    public function isAnswer(): bool
    {
        return preg_match('/\A(?:ERR|[A-Z]{4,}) /', $this->getMessage()) === 1;
    }

    public function isForgottenScript(): bool
    {
        return str_starts_with($this->getMessage(), 'NOSCRIPT');
    }

    /**
     * The failure as a sentence about the server at an address.
     */
    public function sentence(string $address): string
    {
        $text = rtrim($this->getMessage(), '. ');
        $word = strtok($text, ' ');
        if (isset(self::ANSWERS[$word])) {
            [$what, $cure] = self::ANSWERS[$word];
            return "Redis at {$address} {$what}: {$text}; {$cure}.";
        }
        if (str_starts_with($text, 'ERR invalid password') || str_starts_with($text, 'ERR AUTH')) {
            return "Redis at {$address} refused the password: {$text}; correct REDIS_USERNAME and REDIS_PASSWORD.";
        }
        if (str_contains($text, 'executing the script can\'t')) {
            // Redis 7's words for a command of the script that the user may not run.
            [$what, $cure] = self::ANSWERS['NOPERM'];
            return "Redis at {$address} {$what}: {$text}; {$cure}.";
        }
        if ($this->isAnswer()) {
            return "Redis at {$address} refused the task: {$text}.";
        }
        return "Redis at {$address} does not answer: {$text}; start it, or correct REDIS_URL or REDIS_HOST and REDIS_PORT.";
    }
}
