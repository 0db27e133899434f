<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Redis;

use Illuminate\Support\Arr;
use Illuminate\Support\ConfigurationUrlParser;
use Schemacast\Laravel\Exceptions\NotInstalled;

/**
 * Where the tasks go: the app's own Redis, without what the app's connection does to
 * keys and values. One server, or with predis a master behind sentinels.
 */
final class Server
{
    // What changes keys or values; and persistent sockets: predis would share one with
    // the app's connection, and our SELECT would move the app's keys to another database.
    private const NOT_OURS = ['prefix', 'serializer', 'compression', 'compression_level', 'persistent', 'persistent_id'];

    /**
     * @param array<string, mixed> $redis    the section "redis" of config/database.php
     * @param array<string, mixed> $settings the section "redis" of config/schemacast.php
     */
    public function __construct(private array $redis, private array $settings)
    {
    }

    public function client(): string
    {
        return (string) ($this->redis['client'] ?? 'phpredis');
    }

    /**
     * The server without user and password, as in "localhost:6379 database 0".
     *
     * @throws NotInstalled
     */
    public function address(): string
    {
        $entry = $this->entry();
        $where = self::isList($entry)
            ? 'the master of the sentinels ' . implode(', ', array_map([self::class, 'hostAndPort'], Arr::except($entry, 'options')))
            : self::hostAndPort($entry);
        return $where . ' database ' . $this->database();
    }

    /**
     * @throws NotInstalled
     */
    public function database(): int
    {
        $entry = $this->entry();
        $own = self::isList($entry) ? Arr::get($entry, 'options.parameters.database') : $entry['database'] ?? null;
        return (int) ($this->settings['database'] ?? $own ?? 0);
    }

    /**
     * The section "redis" of a configuration that has this server alone, as "schemacast".
     *
     * @return array<string, mixed>
     *
     * @throws NotInstalled
     */
    public function configuration(int $database): array
    {
        $options = Arr::except($this->redis['options'] ?? [], [...self::NOT_OURS, 'cluster']);
        if ($this->client() === 'predis') {
            $options['exceptions'] = false;
        }
        $entry = $this->entry();
        $entry['options'] = Arr::except($entry['options'] ?? [], self::NOT_OURS);
        $entry = self::isList($entry) ? $this->sentinels($entry, $database) : $this->single($entry, $database);
        return ['options' => $options, 'schemacast' => $entry];
    }

    /**
     * @param array<string, mixed> $entry
     *
     * @return array<string, mixed>
     */
    private function single(array $entry, int $database): array
    {
        $timeout = (float) ($this->settings['timeout'] ?? 2.0);
        $entry += ['timeout' => $timeout, 'read_timeout' => $timeout, 'read_write_timeout' => $timeout];
        $entry['database'] = $database;
        if ($this->client() === 'phpredis' && ($entry['username'] ?? '') !== '' && is_string($entry['password'] ?? null)) {
            // Laravel 8 sends the password alone; all versions send a pair as it is.
            $entry['password'] = [$entry['username'], $entry['password']];
        }
        return $entry;
    }

    /**
     * @param array<int|string, mixed> $entry
     *
     * @return array<int|string, mixed>
     */
    private function sentinels(array $entry, int $database): array
    {
        if ($this->client() !== 'predis' || ($entry['options']['replication'] ?? '') !== 'sentinel') {
            throw new NotInstalled(sprintf(
                'The Redis connection "%s" is a list of servers; tasks need one server, or with predis a master behind '
                . 'sentinels; set SCHEMACAST_REDIS_CONNECTION to such a connection.',
                $this->name()
            ));
        }
        $entry['options']['parameters']['database'] = $database;
        return $entry;
    }

    /**
     * @return array<int|string, mixed>
     */
    private function entry(): array
    {
        $name = $this->name();
        $entry = $this->redis[$name] ?? null;
        if (!is_array($entry) && !is_string($entry)) {
            $cure = isset($this->redis['clusters'][$name])
                ? 'it is a cluster there, and tasks need one server'
                : 'set SCHEMACAST_REDIS_CONNECTION to one that is there';
            throw new NotInstalled("config/database.php has no Redis connection \"{$name}\"; {$cure}.");
        }
        $entry = Arr::except((new ConfigurationUrlParser())->parseConfiguration($entry), self::NOT_OURS);
        $scheme = strtolower($entry['driver'] ?? '');
        if (in_array($scheme, ['tcp', 'tls'], true)) {
            $entry['scheme'] = $scheme;
        }
        unset($entry['driver']);
        return $entry;
    }

    private function name(): string
    {
        return (string) ($this->settings['connection'] ?? 'default');
    }

    /**
     * @param array<int|string, mixed> $entry
     */
    private static function isList(array $entry): bool
    {
        return isset($entry[0]);
    }

    /**
     * @param array<string, mixed>|string $server
     */
    private static function hostAndPort(array|string $server): string
    {
        $parts = is_string($server) ? (array) parse_url($server) : $server;
        if (isset($parts['path'], $parts['scheme']) && $parts['scheme'] === 'unix') {
            return $parts['path'];
        }
        $host = (string) ($parts['host'] ?? 'an unnamed host');
        return str_starts_with($host, '/') ? $host : $host . ':' . ($parts['port'] ?? 6379);
    }
}
