<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

use Illuminate\Contracts\Foundation\Application;
use Illuminate\Redis\RedisManager;
use InvalidArgumentException;
use Predis\Client as Predis;
use Predis\PredisException;
use Redis;
use RedisException;
use Schemacast\Laravel\Exceptions\NotInstalled;

/**
 * Makes connections of our own to the server of the tasks. Laravel's connectors do the
 * work, so that TLS, passwords and URLs mean what they mean to the app.
 */
final class Connector
{
    public function __construct(private Application $app, public Server $server)
    {
    }

    /**
     * @param int|null $database another number than the configured one
     *
     * @throws RedisFailure when there is no connection
     * @throws NotInstalled when the configuration can not be used
     */
    public function connect(?int $database = null): Client
    {
        $configuration = $this->server->configuration($database ?? $this->server->database());
        $manager = new RedisManager($this->app, $this->server->client(), $configuration);
        try {
            $client = $manager->connection('schemacast')->client();
            if ($client instanceof Predis) {
                $client->connect();
                return new PredisClient($client);
            }
        } catch (PredisException $e) {
            throw PredisClient::failure($e);
        } catch (RedisException $e) {
            throw new RedisFailure($e->getMessage(), 0, $e);
        } catch (InvalidArgumentException $e) {
            throw new NotInstalled('The Redis connection of Schemacast can not be used: ' . $e->getMessage(), 0, $e);
        }
        if (!$client instanceof Redis) {
            $name = $this->server->client();
            throw new NotInstalled("Schemacast can not use the Redis client \"{$name}\"; set database.redis.client to phpredis or predis.");
        }
        if ($client->getLastError() !== null) {
            // Laravel does not look at it: tasks would go to database 0, in silence.
            throw new RedisFailure($client->getLastError());
        }
        return new PhpRedisClient($client);
    }
}
