<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Database;

use Illuminate\Database\Connection;
use Illuminate\Database\Migrations\Migration as LaravelMigration;
use Illuminate\Support\Facades\DB;

/**
 * One version of our own tables, by the statements that "worker migrate" runs: copies of
 * its files are in resources/migrations. Whoever migrates first, the other one finds the
 * version in schemacast_meta and does nothing.
 */
abstract class Migration extends LaravelMigration
{
    /** The version of the tables that this package writes. */
    public const LATEST = 5;

    private const FOLDER = __DIR__ . '/../../resources/migrations/';
    // The key of the advisory lock that workers hold while they migrate.
    private const LOCK = 0x5c4e3a;

    // Our own transaction: the connection may be another than the migrator's.
    public $withinTransaction = false;

    /**
     * The file in resources/migrations, which begins with the number of the version.
     */
    abstract protected function file(): string;

    public function up(): void
    {
        $this->locked(function (Connection $database, int $current): void {
            if ($current < $this->version()) {
                $database->unprepared($this->section('Up'));
                $this->setVersion($database, $this->version());
            }
        });
    }

    public function down(): void
    {
        $this->locked(function (Connection $database, int $current): void {
            if ($current >= $this->version()) {
                $database->unprepared($this->section('Down'));
                $this->setVersion($database, $this->version() - 1);
            }
        });
    }

    private function version(): int
    {
        return (int) $this->file();
    }

    private function locked(callable $change): void
    {
        $database = DB::connection(config('schemacast.connection'));
        if ($database->getDriverName() !== 'pgsql') {
            // An app's own tests may run on another database, with Schemacast::fake().
            return;
        }
        $database->transaction(function () use ($database, $change): void {
            $database->select('SELECT pg_advisory_xact_lock(?)', [self::LOCK]);
            $database->unprepared(
                'CREATE TABLE IF NOT EXISTS schemacast_meta (key varchar(64) PRIMARY KEY, value text NOT NULL)'
            );
            $row = $database->selectOne("SELECT value FROM schemacast_meta WHERE key = 'schema_version'", [], false);
            $change($database, (int) ($row->value ?? 0));
        });
    }

    private function setVersion(Connection $database, int $version): void
    {
        $database->insert(
            "INSERT INTO schemacast_meta (key, value) VALUES ('schema_version', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(string) $version]
        );
    }

    /**
     * The statements between "-- +goose Up" and "-- +goose Down", or after the latter.
     */
    private function section(string $name): string
    {
        $parts = preg_split('/^-- \+goose (Up|Down)$/m', (string) file_get_contents(self::FOLDER . $this->file()), -1, PREG_SPLIT_DELIM_CAPTURE);
        return (string) $parts[array_search($name, $parts, true) + 1];
    }
}
