<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Database;

use Illuminate\Database\Connection;
use Illuminate\Database\DatabaseManager;
use PDOException;

/**
 * Looks whether requests can be recorded: PostgreSQL, tables, columns, version and
 * privileges. It writes nothing.
 */
final class Inspection
{
    // What a request reads and writes. An empty list is the whole table.
    private const NEEDED = [
        ['schemas', 'SELECT', ['id', 'tenant_id', 'type', 'status', 'ai_analysis_status', 'created_at', 'updated_at']],
        ['schemas', 'UPDATE', ['ai_analysis_status', 'updated_at']],
        ['schema_mappings', 'SELECT', ['schema_id']],
        ['schemacast_meta', 'SELECT', ['key', 'value']],
        ['schemacast_runs', 'SELECT', ['schema_id', 'active_schema_id', 'state', 'force', 'queue', 'cancelled_by']],
        ['schemacast_runs', 'INSERT', [
            'id', 'schema_id', 'active_schema_id', 'tenant_id', 'state', 'requested_by', 'force', 'queue', 'requested_ms',
        ]],
        ['schemacast_runs', 'UPDATE', ['force', 'queue', 'asked_ms']],
    ];

    public function __construct(private DatabaseManager $databases, private ?string $connection)
    {
    }

    /**
     * @return list<string> sentences
     */
    public function problems(): array
    {
        $database = $this->databases->connection($this->connection);
        $unsuitable = self::unsuitable($database);
        if ($unsuitable !== '') {
            return [$unsuitable];
        }
        try {
            return $this->missingColumns($database) ?: $this->missingPrivileges($database) ?: $this->oldVersion($database);
        } catch (PDOException $e) {
            return [DatabaseFailure::translate($e)->getMessage()];
        }
    }

    /**
     * Why requests can not be recorded over a connection, as its configuration says;
     * empty when they can.
     */
    public static function unsuitable(Connection $database): string
    {
        $name = $database->getName();
        $cure = 'set SCHEMACAST_DB_CONNECTION to another one';
        return match (true) {
            $database->getDriverName() !== 'pgsql' =>
                "Schemacast needs PostgreSQL, and the database connection \"{$name}\" is {$database->getDriverName()}; {$cure}.",
            $database->getTablePrefix() !== '' => "The database connection \"{$name}\" has the table prefix "
                . "\"{$database->getTablePrefix()}\", and the worker reads the table \"schemas\"; {$cure}, without a prefix.",
            default => '',
        };
    }

    /**
     * @return list<string>
     */
    private function missingColumns(Connection $database): array
    {
        $sentences = [];
        foreach (array_unique(array_column(self::NEEDED, 0)) as $table) {
            $cure = str_starts_with($table, 'schemacast_') ? 'run "php artisan migrate"' : 'run the app\'s migrations';
            $existing = array_column($database->select(
                'SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped',
                [$table]
            ), 'attname');
            if ($existing === []) {
                $sentences[] = "The table {$table} is missing; {$cure}.";
                continue;
            }
            foreach (array_diff($this->columnsOf($table), $existing) as $column) {
                $sentences[] = "The column {$column} of the table {$table} is missing; {$cure}.";
            }
        }
        return $sentences;
    }

    /**
     * @return list<string>
     */
    private function columnsOf(string $table): array
    {
        $ofTable = array_filter(self::NEEDED, static fn (array $needed) => $needed[0] === $table);
        return array_values(array_unique(array_merge(...array_column($ofTable, 2))));
    }

    /**
     * @return list<string>
     */
    private function missingPrivileges(Connection $database): array
    {
        $sentences = [];
        foreach (self::NEEDED as [$table, $privilege, $columns]) {
            $row = $database->selectOne(
                'SELECT current_user AS who, string_agg(quote_ident(name), \', \') AS columns FROM unnest(string_to_array(?, \',\')) AS name
                    WHERE NOT has_column_privilege(to_regclass(?), name, ?)',
                [implode(',', $columns), $table, $privilege]
            );
            if ($row->columns !== null) {
                $sentences[] = "The user {$row->who} may not {$privilege} in the table {$table}; as its owner run: "
                    . "GRANT {$privilege} ({$row->columns}) ON {$table} TO \"{$row->who}\";";
            }
        }
        return $sentences;
    }

    /**
     * @return list<string>
     */
    private function oldVersion(Connection $database): array
    {
        $row = $database->selectOne("SELECT value FROM schemacast_meta WHERE key = 'schema_version'");
        $version = (int) ($row->value ?? 0);
        return $version >= Migration::LATEST ? [] : [sprintf(
            'The tables of Schemacast are of version %d, and this package writes version %d; run "php artisan migrate".',
            $version,
            Migration::LATEST
        )];
    }
}
