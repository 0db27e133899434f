<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Schemacast\Laravel\Database\Migration;
use Schemacast\Laravel\Exceptions\NotInstalled;
use Schemacast\Laravel\Exceptions\SchemacastUnavailable;
use Schemacast\Laravel\Result;
use Schemacast\Laravel\Tests\Ground\Postgres;

/**
 * Migrations, and databases that lack something.
 */
final class DatabaseTest extends PackageTestCase
{
    public function testMigrationsGoForthAndBack(): void
    {
        $this->boot(postgres: Postgres::fresh());
        $tables = fn (): array => $this->database()->table('pg_tables')
            ->where('tablename', 'like', 'schemacast%')->orderBy('tablename')->pluck('tablename')->all();
        $version = fn (): string => (string) $this->database()->table('schemacast_meta')->where('key', 'schema_version')->value('value');
        self::assertSame(0, $this->artisan('migrate', ['--force' => true]));
        self::assertCount(8, $tables());
        self::assertSame((string) Migration::LATEST, $version());
        $installed = $this->database()->table('schemacast_meta')->where('key', 'installed_ms')->value('value');
        self::assertEqualsWithDelta(microtime(true) * 1000, (int) $installed, 60000);

        // What another one has migrated already is left alone, whatever Laravel remembers.
        $this->database()->table('migrations')->delete();
        self::assertSame(0, $this->artisan('migrate', ['--force' => true]));
        self::assertSame([$installed], $this->database()->table('schemacast_meta')->where('key', 'installed_ms')->pluck('value')->all());

        self::assertSame(0, $this->artisan('migrate:rollback', ['--force' => true]));
        self::assertSame(['schemacast_meta'], $tables());
        self::assertSame('0', $version());
        self::assertSame(0, $this->artisan('migrate', ['--force' => true]));
        self::assertSame((string) Migration::LATEST, $version());
    }

    public function testAnUpgradeFromTheFirstVersion(): void
    {
        $this->boot(postgres: Postgres::fresh());
        $this->artisan('migrate', ['--force' => true]);
        $this->artisan('migrate:rollback', ['--force' => true, '--step' => Migration::LATEST - 1]);
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString('The column queue of the table schemacast_runs is missing; run "php artisan migrate".', $this->output());
        $this->assertNotInstalled('column "queue" of relation "schemacast_runs" does not exist; run "php artisan migrate"');
        $this->artisan('migrate', ['--force' => true]);
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($this->failedRow())->outcome);
    }

    public function testWithoutOurTables(): void
    {
        $this->boot(postgres: Postgres::fresh());
        $this->assertNotInstalled('relation "schemacast_meta" does not exist; run "php artisan migrate", or "worker migrate"');
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString(
            "The table schemacast_meta is missing; run \"php artisan migrate\".\nThe table schemacast_runs is missing; run \"php artisan migrate\".\n",
            $this->output()
        );
    }

    public function testWithoutAColumnOfTheApp(): void
    {
        $this->boot(postgres: Postgres::fresh());
        $this->artisan('migrate', ['--force' => true]);
        $id = $this->failedRow();
        $this->database()->statement('ALTER TABLE schemas RENAME COLUMN ai_analysis_status TO ai_status');
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString('The column ai_analysis_status of the table schemas is missing; run the app\'s migrations.', $this->output());
        $this->assertNotInstalled('column "ai_analysis_status" does not exist', $id);
    }

    public function testTheLeastThatAUserOfTheDatabaseNeeds(): void
    {
        $postgres = Postgres::fresh();
        $this->boot(postgres: $postgres);
        $this->artisan('migrate', ['--force' => true]);
        $user = 'laravel_' . bin2hex(random_bytes(4));
        $owner = Postgres::pdo($postgres);
        $owner->exec("CREATE ROLE {$user} LOGIN PASSWORD 'geheim'");
        register_shutdown_function(static fn () => Postgres::pdo((string) getenv('SCHEMACAST_TEST_POSTGRES'))->exec("DROP ROLE {$user}"));
        $failed = $this->failedRow();
        $this->boot(postgres: (string) preg_replace('#//[^@]+@#', "//{$user}:geheim@", $postgres));

        // Each sentence of the check names a GRANT, and all of them together are enough.
        self::assertSame(1, $this->artisan('schemacast:check'));
        preg_match_all('/The user \S+ may not \w+ in the table \w+; as its owner run: (GRANT .*;)$/m', $this->output(), $matches);
        self::assertNotEmpty($matches[1]);
        foreach ($matches[1] as $grant) {
            $owner->exec(str_replace('"' . $user . '"', $user, $grant));
        }
        $this->artisan('schemacast:check');
        self::assertStringContainsString('database: ok', $this->output());
        self::assertSame(Result::ENQUEUED, $this->schemacast()->analyze($failed)->outcome);
        self::assertSame('', $this->schemacast()->analyze($failed, force: true)->reason);

        // The README's list is the same.
        $readme = (string) file_get_contents(__DIR__ . '/../README.md');
        foreach ($matches[1] as $grant) {
            self::assertStringContainsString(str_replace('"' . $user . '"', 'app', $grant), $readme);
        }

        $owner->exec("REVOKE UPDATE ON schemas FROM {$user}; REVOKE UPDATE (ai_analysis_status) ON schemas FROM {$user}");
        $owner->exec("UPDATE schemas SET ai_analysis_status = 'failed'; DELETE FROM schemacast_runs");
        try {
            $this->schemacast()->analyze($failed);
            self::fail('accepted');
        } catch (NotInstalled $e) {
            self::assertSame(
                'The database refused: permission denied for table schemas; run "php artisan schemacast:check" for the GRANT that is missing.',
                $e->getMessage()
            );
        }
        self::assertSame(0, $owner->query('SELECT count(*) FROM schemacast_runs')->fetchColumn(), 'half a request was recorded');
        $this->app['db']->purge();
        $this->boot(postgres: $postgres);
        $this->database()->unprepared("DROP OWNED BY {$user}");
    }

    public function testADatabaseThatIsNotPostgres(): void
    {
        $this->boot(['database.connections.lite' => ['driver' => 'sqlite', 'database' => ':memory:', 'prefix' => ''], 'schemacast.connection' => 'lite']);
        $sentence = 'Schemacast needs PostgreSQL, and the database connection "lite" is sqlite; set SCHEMACAST_DB_CONNECTION to another one.';
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString($sentence, $this->output());
        self::assertSame(0, $this->artisan('migrate', ['--force' => true, '--database' => 'lite']), 'an app may test on SQLite');
        $this->expectException(NotInstalled::class);
        $this->expectExceptionMessage($sentence);
        $this->schemacast()->analyze(1);
    }

    public function testATablePrefix(): void
    {
        $this->boot(['database.connections.pgsql.prefix' => 'app_']);
        $sentence = 'The database connection "pgsql" has the table prefix "app_", and the worker reads the table "schemas"; '
            . 'set SCHEMACAST_DB_CONNECTION to another one, without a prefix.';
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString($sentence, $this->output());
        $this->expectException(NotInstalled::class);
        $this->expectExceptionMessage($sentence);
        $this->schemacast()->analyze(1);
    }

    public function testManyAskForTheSameAtOnce(): void
    {
        $ids = [];
        for ($i = 0; $i < 100; $i++) {
            $ids[] = (string) $this->failedRow();
        }
        $environment = ['APP_POSTGRES' => Postgres::shared(), 'APP_REDIS' => $this->redis->address] + getenv();
        $processes = [];
        for ($i = 0; $i < 4; $i++) {
            shuffle($ids);
            $command = [PHP_BINARY, __DIR__ . '/artisan.php', 'schemacast:analyze', ...$ids];
            $processes[] = [proc_open($command, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes, null, $environment), $pipes];
        }
        $enqueued = 0;
        foreach ($processes as [$process, $pipes]) {
            $output = stream_get_contents($pipes[1]) . stream_get_contents($pipes[2]);
            self::assertSame(0, proc_close($process), $output);
            $enqueued += preg_match('/(\d+) enqueued/', $output, $match) === 1 ? (int) $match[1] : 0;
        }
        self::assertSame(100, $enqueued);
        self::assertCount(100, $this->openRuns());
        self::assertCount(100, $this->waiting());
    }

    public function testTheCheckKnowsTheLatestVersion(): void
    {
        self::assertCount(Migration::LATEST, glob(__DIR__ . '/../resources/migrations/*.sql'));
    }

    public function testADatabaseThatIsDown(): void
    {
        $this->boot(postgres: 'postgres://nobody@127.0.0.1:1/app');
        self::assertSame(1, $this->artisan('schemacast:check'));
        self::assertStringContainsString('The database does not answer: ', $this->output());
        try {
            $this->schemacast()->analyze(1);
            self::fail('accepted');
        } catch (SchemacastUnavailable $e) {
            self::assertFalse($e->recorded);
            self::assertMatchesRegularExpression(
                '/\AThe database does not answer: .*port 1 failed: Connection refused.*; start it, or correct DB_HOST and DB_PORT\. Nothing was recorded\.\z/s',
                $e->getMessage()
            );
        }
    }

    private function failedRow(): int
    {
        $this->database()->insert("INSERT INTO tenants (id, name) VALUES ('t1', 'One') ON CONFLICT DO NOTHING");
        return $this->insert(['ai_analysis_status' => 'failed']);
    }

    private function assertNotInstalled(string $part, ?int $id = null): void
    {
        try {
            $this->schemacast()->analyze($id ?? $this->failedRow());
            self::fail('accepted');
        } catch (NotInstalled $e) {
            self::assertStringContainsString($part, $e->getMessage());
            self::assertStringEndsWith('.', $e->getMessage());
        }
    }
}
