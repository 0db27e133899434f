<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Exceptions;

use RuntimeException;

/**
 * The database lacks a table, a column or a privilege, or the configuration names
 * something that does not exist: the installation has to be mended.
 */
final class NotInstalled extends RuntimeException implements SchemacastException
{
}
