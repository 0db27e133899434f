<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Database;

/**
 * What the database knows now of the wish to have one schema analysed.
 */
final class Recorded
{
    public function __construct(public int $schemaId, public ?string $tenantId, public bool $open, public string $reason)
    {
    }
}
