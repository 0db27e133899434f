<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests\Ground;

use Illuminate\Auth\AuthServiceProvider;
use Illuminate\Broadcasting\BroadcastServiceProvider;
use Illuminate\Cache\CacheServiceProvider;
use Illuminate\Config\Repository;
use Illuminate\Cookie\CookieServiceProvider;
use Illuminate\Console\Application as Artisan;
use Illuminate\Database\DatabaseServiceProvider;
use Illuminate\Foundation\Providers\ConsoleSupportServiceProvider;
use Illuminate\Filesystem\Filesystem;
use Illuminate\Filesystem\FilesystemServiceProvider;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Bootstrap\BootProviders;
use Illuminate\Foundation\Bootstrap\RegisterFacades;
use Illuminate\Foundation\Bootstrap\RegisterProviders;
use Illuminate\Foundation\Bootstrap\SetRequestForConsole;
use Illuminate\Foundation\Console\Kernel;
use Illuminate\Contracts\Console\Kernel as KernelContract;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Hashing\HashServiceProvider;
use Illuminate\Queue\QueueServiceProvider;
use Illuminate\Redis\RedisServiceProvider;
use Illuminate\Session\SessionServiceProvider;
use Illuminate\View\ViewServiceProvider;

/**
 * A Laravel application with what the package relies on. The package itself is not
 * named: Laravel discovers it, by its composer.json.
 */
final class TestApp
{
    /**
     * @param array<string, mixed> $config by dotted key, over what follows from the addresses
     */
    public static function make(string $postgres, string $redis, array $config = []): Application
    {
        Artisan::forgetBootstrappers();
        $app = new Application(self::folder());
        $app->instance('config', self::config($postgres, $redis, $config));
        $app->singleton(ExceptionHandler::class, Handler::class);
        $app->singleton(KernelContract::class, Kernel::class);
        $app->detectEnvironment(static fn () => 'testing');
        $app->bootstrapWith([
            RegisterFacades::class, SetRequestForConsole::class, RegisterProviders::class, BootProviders::class,
        ]);
        return $app;
    }

    /**
     * An empty application's folder, in which Composer has installed the package.
     */
    private static function folder(): string
    {
        static $folder = null;
        if ($folder !== null) {
            return $folder;
        }
        $folder = sys_get_temp_dir() . '/schemacast-php-' . bin2hex(random_bytes(6));
        mkdir($folder . '/bootstrap/cache', 0700, true);
        mkdir($folder . '/vendor/composer', 0700, true);
        $package = json_decode((string) file_get_contents(dirname(__DIR__, 2) . '/composer.json'), true, 16, JSON_THROW_ON_ERROR);
        file_put_contents($folder . '/vendor/composer/installed.json', json_encode(['packages' => [$package]]));
        register_shutdown_function(static fn () => (new Filesystem())->deleteDirectory($folder));
        return $folder;
    }

    /**
     * @param array<string, mixed> $config
     */
    private static function config(string $postgres, string $redis, array $config): Repository
    {
        [$host, $port] = explode(':', $redis);
        $repository = new Repository([
            'app' => [
                'key' => str_repeat('k', 32), 'cipher' => 'AES-256-CBC', 'timezone' => 'UTC', 'url' => 'http://localhost', 'aliases' => [],
                'providers' => [
                    AuthServiceProvider::class, BroadcastServiceProvider::class, CacheServiceProvider::class, CookieServiceProvider::class,
                    ConsoleSupportServiceProvider::class, DatabaseServiceProvider::class, FilesystemServiceProvider::class, HashServiceProvider::class,
                    QueueServiceProvider::class, RedisServiceProvider::class, SessionServiceProvider::class, ViewServiceProvider::class,
                ],
            ],
            'database' => [
                'default' => 'pgsql',
                'migrations' => 'migrations',
                'connections' => ['pgsql' => ['driver' => 'pgsql', 'url' => $postgres, 'charset' => 'utf8', 'search_path' => 'public', 'prefix' => '']],
                'redis' => [
                    'client' => 'phpredis',
                    'options' => ['prefix' => 'laravel_database_'],
                    'default' => ['host' => $host, 'port' => $port, 'database' => '0', 'password' => null],
                ],
            ],
            'logging' => ['default' => 'null', 'channels' => ['null' => ['driver' => 'monolog', 'handler' => \Monolog\Handler\NullHandler::class]]],
            'auth' => [
                'defaults' => ['guard' => 'web'],
                'guards' => ['web' => ['driver' => 'session', 'provider' => 'users']],
                'providers' => ['users' => ['driver' => 'database', 'table' => 'users']],
            ],
            'session' => [
                'driver' => 'array', 'lottery' => [0, 100], 'cookie' => 's',
                'lifetime' => 1, 'path' => '/', 'domain' => null, 'secure' => false, 'expire_on_close' => false,
            ],
            'view' => ['paths' => [], 'compiled' => sys_get_temp_dir()],
            'cache' => ['default' => 'array', 'stores' => ['array' => ['driver' => 'array']]],
            'queue' => ['default' => 'sync', 'connections' => ['sync' => ['driver' => 'sync']]],
            'broadcasting' => ['default' => 'null', 'connections' => ['null' => ['driver' => 'null']]],
        ]);
        foreach ($config as $key => $value) {
            $repository->set($key, $value);
        }
        return $repository;
    }
}
