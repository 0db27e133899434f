<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Console;

use Illuminate\Console\Command;
use Schemacast\Laravel\Database\Inspection as DatabaseInspection;
use Schemacast\Laravel\Redis\Inspection as RedisInspection;

/**
 * Says whether requests of this app would be analysed: tables, columns, privileges,
 * Redis, and whether a worker lives in the same database number. It writes nothing.
 */
final class CheckCommand extends Command
{
    protected $signature = 'schemacast:check';
    protected $description = 'Check whether Schemacast can be asked for analyses';

    public function handle(DatabaseInspection $database, RedisInspection $redis): int
    {
        $problems = 0;
        foreach (['database' => $database->problems(), 'redis' => $redis->problems()] as $part => $sentences) {
            foreach ($sentences as $sentence) {
                $this->error($sentence);
                $problems++;
            }
            if ($sentences === []) {
                $this->line("{$part}: ok");
            }
        }
        return $problems === 0 ? 0 : 1;
    }
}
