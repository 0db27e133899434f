<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests\Ground;

use PDO;

/**
 * Fresh databases on the server of SCHEMACAST_TEST_POSTGRES, dropped when this process
 * ends.
 */
final class Postgres
{
    private const APP_TABLES = __DIR__ . '/../../../internal/store/apptables/postgres.sql';

    private static ?string $shared = null;

    /**
     * The URL of a database with the app's tables, and ours when they are migrated. It is
     * shared by tests, which begin by emptying it.
     */
    public static function shared(): string
    {
        return self::$shared ??= self::fresh();
    }

    /**
     * The URL of a new database with the app's tables alone.
     */
    public static function fresh(): string
    {
        $name = 'schemacast_php_' . bin2hex(random_bytes(6));
        $server = self::pdo(self::server());
        $server->exec("CREATE DATABASE {$name}");
        register_shutdown_function(static fn () => self::pdo(self::server())->exec("DROP DATABASE {$name} WITH (FORCE)"));
        $url = (string) preg_replace('#(://[^/]+)/[^?]*#', "$1/{$name}", self::server());
        self::pdo($url)->exec((string) file_get_contents(self::APP_TABLES));
        return $url;
    }

    public static function available(): bool
    {
        return (string) getenv('SCHEMACAST_TEST_POSTGRES') !== '';
    }

    public static function pdo(string $url): PDO
    {
        $parts = parse_url($url);
        $dsn = sprintf('pgsql:host=%s;port=%d;dbname=%s', $parts['host'], $parts['port'] ?? 5432, ltrim($parts['path'], '/'));
        return new PDO($dsn, $parts['user'] ?? null, $parts['pass'] ?? null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    }

    private static function server(): string
    {
        return (string) getenv('SCHEMACAST_TEST_POSTGRES');
    }
}
