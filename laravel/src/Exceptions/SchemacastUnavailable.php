<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Exceptions;

use RuntimeException;
use Throwable;

/**
 * Redis or the database does not answer, or refuses. Asking again is always safe.
 */
final class SchemacastUnavailable extends RuntimeException implements SchemacastException
{
    /**
     * @param bool $recorded the request is in the database, so the worker's sweeper
     *                       takes it up even when nobody asks again
     */
    public function __construct(string $message, public bool $recorded = false, ?Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }
}
