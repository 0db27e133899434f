<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Facades;

use Illuminate\Database\Eloquent\Model;
use Illuminate\Support\Collection;
use Illuminate\Support\Facades\Facade;
use Schemacast\Laravel\Result;
use Schemacast\Laravel\Testing\SchemacastFake;

/**
 * @method static Result analyze(Model|int|string $schema, ?string $tenant = null, bool $force = false, ?string $queue = null, ?string $by = null)
 * @method static Collection analyzeMany(iterable $schemas, ?string $tenant = null, bool $force = false, ?string $queue = null, ?string $by = null)
 * @method static void assertAnalyzed(Model|int|string $schema, ?callable $check = null)
 * @method static void assertNotAnalyzed(Model|int|string $schema)
 * @method static void assertAnalyzedTimes(Model|int|string $schema, int $times)
 * @method static void assertAnalyzedCount(int $count)
 * @method static void assertNothingAnalyzed()
 *
 * @see \Schemacast\Laravel\Schemacast
 */
final class Schemacast extends Facade
{
    /**
     * Replaces the service, for the facade and for injection, by one that touches
     * neither the database nor Redis and remembers what it was asked.
     */
    public static function fake(): SchemacastFake
    {
        $fake = new SchemacastFake((array) self::$app['config']['schemacast']);
        self::swap($fake);
        return $fake;
    }

    protected static function getFacadeAccessor(): string
    {
        return \Schemacast\Laravel\Schemacast::class;
    }
}
