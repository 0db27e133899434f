<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

/**
 * A connection to Redis that sends commands as they are: no prefix, no serializer, no
 * compression. One implementation for each of the clients that Laravel knows.
 */
interface Client
{
    /**
     * Sends commands in one round trip. An error as the answer to one of them comes
     * back as a RedisFailure in its place.
     *
     * @param non-empty-list<list<string>> $commands the name of each first
     *
     * @return list<mixed>
     *
     * @throws RedisFailure when Redis does not answer; the client is of no use afterwards
     */
    public function send(array $commands): array;
}
