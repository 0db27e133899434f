<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

use Predis\Client as Predis;
use Predis\Command\RawCommand;
use Predis\PredisException;
use Predis\Response\ErrorInterface;

/**
 * On predis 1.1 and 2. Raw commands bypass its prefix. The client must have been made
 * with the option "exceptions" off, as Connector does.
 */
final class PredisClient implements Client
{
    public function __construct(private Predis $redis)
    {
    }

    public function send(array $commands): array
    {
        try {
            $replies = $this->redis->pipeline(static function ($pipe) use ($commands): void {
                foreach ($commands as $command) {
                    $pipe->executeCommand(RawCommand::create(...$command));
                }
            });
        } catch (PredisException $e) {
            throw self::failure($e);
        }
        return array_map(
            static fn ($reply) => $reply instanceof ErrorInterface ? new RedisFailure($reply->getMessage()) : $reply,
            $replies
        );
    }

    /**
     * Predis wraps the answers to AUTH and SELECT: "`SELECT` failed: ERR ... [tcp://...]".
     */
    public static function failure(PredisException $e): RedisFailure
    {
        $text = preg_replace(['/\A`\w+` failed: /', '/ \[\w+:\S+\]\z/'], '', $e->getMessage());
        return new RedisFailure((string) $text, 0, $e);
    }
}
