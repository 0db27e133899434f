<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

use Schemacast\Laravel\Exceptions\NotInstalled;

/**
 * Looks whether tasks would reach a worker. It writes nothing.
 */
final class Inspection
{
    private const KEY_SERVERS = 'asynq:servers'; // live workers, by the second at which they expire
    private const MAX_DATABASES = 64;

    public function __construct(private Connector $connector)
    {
    }

    /**
     * @return list<string> sentences
     */
    public function problems(): array
    {
        try {
            if ($this->workers($this->connector->connect()) > 0) {
                return [];
            }
            $address = $this->connector->server->address();
            $elsewhere = $this->databasesWithWorkers();
        } catch (RedisFailure $e) {
            return [$e->sentence($this->connector->server->address())];
        } catch (NotInstalled $e) {
            return [$e->getMessage()];
        }
        if ($elsewhere === []) {
            return ["No worker lives in Redis at {$address}; start one, or correct the REDIS_HOST and REDIS_DB of the app or the worker."];
        }
        $numbers = implode(', ', $elsewhere);
        return ["No worker lives in Redis at {$address}, but there is one in database {$numbers}; "
            . "set SCHEMACAST_REDIS_DB={$elsewhere[0]}, or the worker's REDIS_DB={$this->connector->server->database()}."];
    }

    private function workers(Client $client): int
    {
        $now = (string) time();
        [$count] = $client->send([['ZCOUNT', self::KEY_SERVERS, $now, '+inf']]);
        if ($count instanceof RedisFailure) {
            throw $count;
        }
        return (int) $count;
    }

    /**
     * @return list<int>
     */
    private function databasesWithWorkers(): array
    {
        $found = [];
        foreach ($this->databasesInUse() as $number) {
            if ($number !== $this->connector->server->database() && $this->workers($this->connector->connect($number)) > 0) {
                $found[] = $number;
            }
        }
        return $found;
    }

    /**
     * @return list<int> empty when the user may not know
     */
    private function databasesInUse(): array
    {
        [$info] = $this->connector->connect()->send([['INFO', 'keyspace']]);
        if (!is_string($info)) {
            return [];
        }
        preg_match_all('/^db(\d+):/m', $info, $matches);
        return array_slice(array_map('intval', $matches[1]), 0, self::MAX_DATABASES);
    }
}
