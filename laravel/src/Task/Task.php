<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Task;

/**
 * The task "analyse a schema" as workers read it: its names in Redis, and the message
 * that goes there. Byte for byte what the Go producer writes.
 */
final class Task
{
    public const TYPE = 'schema:analyze';
    public const QUEUE = 'schemas';
    public const QUEUE_BACKFILL = 'schemas-backfill';
    public const QUEUES = [self::QUEUE, self::QUEUE_BACKFILL];

    // Only a bound against endless loops; the attempts that count are the run's.
    private const MAX_RETRY = 1000;
    private const TIMEOUT_SECONDS = 600;
    private const TRACEPARENT = '/\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\z/';

    /**
     * One id a schema makes Redis refuse a second waiting task.
     */
    public static function id(int $schemaId): string
    {
        return self::TYPE . ':' . $schemaId;
    }

    /**
     * The KEYS of enqueue.lua.
     *
     * @return list<string>
     */
    public static function keys(string $queue, string $taskId): array
    {
        $prefix = 'asynq:{' . $queue . '}:';
        $keys = [$prefix . 't:' . $taskId];
        foreach (['pending', 'active', 'lease', 'scheduled', 'retry', 'archived', 'completed'] as $name) {
            $keys[] = $prefix . $name;
        }
        return $keys;
    }

    /**
     * The message that a worker gets. A trace that is not of the W3C's form is left
     * out: no analysis fails because of its trace.
     */
    public static function message(
        Payload $payload,
        string $queue,
        string $taskId,
        string $producer,
        string $traceparent = ''
    ): string {
        $headers = ['producer' => $producer];
        if (preg_match(self::TRACEPARENT, $traceparent) === 1) {
            $headers['traceparent'] = $traceparent;
        }
        return (new Message(self::TYPE, $payload->encode(), $taskId, $queue))
            ->retry(self::MAX_RETRY)
            ->timeout(self::TIMEOUT_SECONDS)
            ->headers($headers)
            ->encode();
    }
}
