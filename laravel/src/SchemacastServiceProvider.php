<?php

declare(strict_types=1);

namespace Schemacast\Laravel;

use Illuminate\Contracts\Foundation\Application;
use Illuminate\Support\ServiceProvider;
use Schemacast\Laravel\Console\AnalyzeCommand;
use Schemacast\Laravel\Console\CheckCommand;
use Schemacast\Laravel\Database\Inspection;
use Schemacast\Laravel\Database\RunRecorder;
use Schemacast\Laravel\Redis\Connector;
use Schemacast\Laravel\Redis\Producer;
use Schemacast\Laravel\Redis\Server;

/**
 * Registers the service, its configuration, its commands and its migrations. It connects
 * to nothing. The request and its user are looked up late, in the application of that
 * moment: Octane has another one for each request.
 */
final class SchemacastServiceProvider extends ServiceProvider
{
    private const CONFIG = __DIR__ . '/../config/schemacast.php';
    private const MIGRATIONS = __DIR__ . '/../database/migrations';

    public function register(): void
    {
        $this->mergeConfigFrom(self::CONFIG, 'schemacast');

        $this->app->singleton(Connector::class, static fn (Application $app) => new Connector(
            $app,
            new Server((array) $app['config']['database.redis'], (array) $app['config']['schemacast.redis'])
        ));
        $this->app->singleton(Producer::class, static fn (Application $app) => new Producer(
            $app->make(Connector::class),
            'laravel/' . Schemacast::VERSION,
            static fn () => app()->bound('request') ? (string) request()->header('traceparent') : ''
        ));
        $this->app->singleton(RunRecorder::class, static fn () => new RunRecorder(
            // Where nobody has asked who is logged in, nobody need be.
            static fn () => (string) (app()->resolved('auth') && app('auth')->hasResolvedGuards() ? app('auth')->id() : '') ?: 'laravel'
        ));
        $this->app->bind(Inspection::class, static fn (Application $app) => new Inspection(
            $app['db'],
            $app['config']['schemacast.connection']
        ));
        $this->app->singleton(Schemacast::class, static fn (Application $app) => new Schemacast(
            $app['db'],
            $app->make(RunRecorder::class),
            $app->make(Producer::class),
            $app['log'],
            (array) $app['config']['schemacast']
        ));
    }

    public function boot(): void
    {
        if (!$this->app->runningInConsole()) {
            return;
        }
        if ($this->app['config']['schemacast.migrations']) {
            $this->loadMigrationsFrom(self::MIGRATIONS);
        }
        $this->publishes([self::CONFIG => $this->app->configPath('schemacast.php')], 'schemacast-config');
        $this->publishes([self::MIGRATIONS => $this->app->databasePath('migrations')], 'schemacast-migrations');
        $this->commands([AnalyzeCommand::class, CheckCommand::class]);
    }
}
