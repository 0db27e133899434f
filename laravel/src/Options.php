<?php

declare(strict_types=1);

namespace Schemacast\Laravel;

use Illuminate\Database\Eloquent\Model;
use Schemacast\Laravel\Exceptions\InvalidRequest;
use Schemacast\Laravel\Task\Task;

/**
 * How schemas shall be analysed. What a caller gets wrong is said here, before anything
 * is read or written.
 */
final class Options
{
    /**
     * @param string|null $tenant schemas of other tenants are unknown
     * @param bool        $force  the result may replace what humans decided
     * @param string      $queue  one of Task::QUEUES
     * @param string|null $by     who asks, as the events shall say
     *
     * @throws InvalidRequest
     */
    public function __construct(
        public ?string $tenant = null,
        public bool $force = false,
        public string $queue = Task::QUEUE,
        public ?string $by = null
    ) {
        if ($tenant === '') {
            throw new InvalidRequest('The tenant id is empty; pass the id as it is in tenants, or null for any tenant.');
        }
        if (!in_array($queue, Task::QUEUES, true)) {
            $known = implode('" or "', Task::QUEUES);
            throw new InvalidRequest("No worker reads the queue \"{$queue}\"; use \"{$known}\".");
        }
    }

    /**
     * @return array{tenant: string|null, force: bool, queue: string, by: string|null}
     */
    public function toArray(): array
    {
        return get_object_vars($this);
    }

    /**
     * The id of a row in schemas, from the row or from what a route or a shell gave.
     *
     * @throws InvalidRequest
     */
    public static function schemaId(mixed $schema): int
    {
        $id = $schema instanceof Model ? $schema->getKey() : $schema;
        if ($schema instanceof Model && $id === null) {
            throw new InvalidRequest(sprintf('The %s has no id yet; save it before its analysis is asked for.', get_class($schema)));
        }
        if (is_string($id) && preg_match('/\A[1-9][0-9]{0,18}\z/', $id) === 1 && (string) (int) $id === $id) {
            $id = (int) $id;
        }
        if (!is_int($id) || $id < 1) {
            $shown = is_scalar($id) ? (string) json_encode($id, JSON_INVALID_UTF8_SUBSTITUTE) : get_debug_type($id);
            throw new InvalidRequest("{$shown} is no id of a schema; ids are whole numbers from 1 on, see the column id of the table schemas.");
        }
        return $id;
    }
}
