<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Database;

use PDOException;
use Schemacast\Laravel\Exceptions\NotInstalled;
use Schemacast\Laravel\Exceptions\SchemacastUnavailable;
use Throwable;

/**
 * Gives PostgreSQL's errors a sentence with a cure. Values of rows, which a
 * QueryException quotes, are not part of it.
 */
final class DatabaseFailure
{
    private const CURES = [
        '42P01' => 'run "php artisan migrate", or "worker migrate" for the tables that begin with schemacast_',
        '42703' => 'run "php artisan migrate", or "worker migrate" for the tables that begin with schemacast_',
        '42501' => 'run "php artisan schemacast:check" for the GRANT that is missing',
        '42P10' => 'run "php artisan migrate", its table schemacast_runs is not the one of this version',
    ];

    public static function translate(PDOException $e): Throwable
    {
        $state = (string) $e->getCode();
        $text = self::firstLine($e);
        if (isset(self::CURES[$state])) {
            return new NotInstalled("The database refused: {$text}; " . self::CURES[$state] . '.', 0, $e);
        }
        if ($state === '7' || preg_match('/\A(?:08|53|57)/', $state) === 1) {
            return new SchemacastUnavailable(
                "The database does not answer: {$text}; start it, or correct DB_HOST and DB_PORT. Nothing was recorded.",
                false,
                $e
            );
        }
        return $e;
    }

    /**
     * PostgreSQL's own words, as in 'relation "schemacast_runs" does not exist'.
     */
    private static function firstLine(PDOException $e): string
    {
        $text = strtok(($e->getPrevious() ?? $e)->getMessage(), "\n");
        $text = preg_replace('/\ASQLSTATE\[\w+\](?: \[\d+\])?:?(?: [\w ]+: \d+)?\s*/', '', (string) $text);
        return rtrim((string) preg_replace('/\A(?:ERROR|FATAL):\s*/', '', (string) $text), '. ');
    }
}
