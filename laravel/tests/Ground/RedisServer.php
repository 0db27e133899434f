<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests\Ground;

use RuntimeException;

/**
 * A Redis of its own on a free port, which ends with this process.
 */
final class RedisServer
{
    private const READY_SECONDS = 20;

    private static ?self $shared = null;

    public string $address;

    /** @var resource|null */
    private $process;

    /** @var list<string> */
    private array $command;

    /**
     * @param list<string> $options of redis-server
     * @param string       $file    its configuration, '' for none
     */
    public function __construct(array $options = [], string $file = '')
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $this->address = (string) stream_socket_get_name($socket, false);
        fclose($socket);
        // The kernel ends it even when this process is killed.
        $guard = PHP_OS_FAMILY === 'Linux' ? ['setpriv', '--pdeathsig', 'KILL'] : [];
        $this->command = [
            ...$guard, (string) (getenv('SCHEMACAST_TEST_REDIS_SERVER') ?: 'redis-server'), ...($file === '' ? [] : [$file]),
            '--bind', '127.0.0.1', '--port', explode(':', $this->address)[1],
            ...($file === '' ? ['--save', '', '--appendonly', 'no'] : []), ...$options,
        ];
        $this->start();
    }

    /**
     * A sentinel that watches a server, as "mymaster".
     */
    public static function sentinelOf(self $master): self
    {
        $file = (string) tempnam(sys_get_temp_dir(), 'sentinel');
        file_put_contents($file, 'sentinel monitor mymaster ' . str_replace(':', ' ', $master->address) . " 1\n");
        register_shutdown_function('unlink', $file);
        return new self(['--sentinel'], $file);
    }

    /**
     * The one that tests share; they begin with FLUSHALL.
     */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    public function start(): void
    {
        $null = ['file', '/dev/null', 'w'];
        $this->process = proc_open($this->command, [['file', '/dev/null', 'r'], $null, $null], $pipes, sys_get_temp_dir()) ?: null;
        $deadline = microtime(true) + self::READY_SECONDS;
        while (!($connection = @stream_socket_client('tcp://' . $this->address, $code, $text, 1.0))) {
            if (microtime(true) > $deadline) {
                throw new RuntimeException("redis-server on {$this->address} did not start: {$text}");
            }
            usleep(5000);
        }
        fclose($connection);
    }

    public function stop(): void
    {
        if ($this->process !== null) {
            proc_terminate($this->process, 9);
            proc_close($this->process);
            $this->process = null;
        }
    }

    public function __destruct()
    {
        $this->stop();
    }

    /**
     * A command on a connection of its own.
     */
    public function call(string ...$command): mixed
    {
        return $this->callIn(0, ...$command);
    }

    public function callIn(int $database, string ...$command): mixed
    {
        [$host, $port] = explode(':', $this->address);
        $redis = new \Redis();
        $redis->connect($host, (int) $port);
        $redis->select($database);
        $reply = $redis->rawCommand(...$command);
        if ($redis->getLastError() !== null) {
            throw new RuntimeException((string) $redis->getLastError());
        }
        return $reply;
    }
}
