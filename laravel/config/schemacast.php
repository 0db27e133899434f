<?php

declare(strict_types=1);

return [

    /*
     * The database connection that holds the app's table "schemas" and our own
     * "schemacast_" tables. Null is the app's default. It has to be PostgreSQL,
     * the same database that the worker's DB_* variables name.
     */
    'connection' => env('SCHEMACAST_DB_CONNECTION'),

    'redis' => [
        /*
         * The entry of config/database.php, section "redis", whose server is used. A
         * connection of our own is made to it: prefix, serializer and compression of
         * the app do not apply, since the worker would not find the tasks.
         */
        'connection' => env('SCHEMACAST_REDIS_CONNECTION', 'default'),

        // The worker's REDIS_DB. Null is the database number of the entry above.
        'database' => env('SCHEMACAST_REDIS_DB'),

        // Seconds to wait for a connection and for each answer.
        'timeout' => (float) env('SCHEMACAST_REDIS_TIMEOUT', 2.0),
    ],

    /*
     * What happens when Redis takes no tasks: "throw" a SchemacastUnavailable, or
     * "log" a warning. Nothing is lost with either, the request is in the database and
     * the worker's sweeper takes it up within a minute or so.
     */
    'on_unavailable' => env('SCHEMACAST_ON_UNAVAILABLE', 'throw'),

    // "schemas", or "schemas-backfill", which never delays what somebody waits for.
    'queue' => env('SCHEMACAST_QUEUE', 'schemas'),

    // False when "worker migrate" shall be the only one that creates our tables.
    'migrations' => (bool) env('SCHEMACAST_MIGRATIONS', true),

    // The attribute of the app's users that holds their tenant's id; see Channels.
    'tenant_attribute' => 'tenant_id',

];
