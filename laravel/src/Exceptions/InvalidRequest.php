<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Exceptions;

use InvalidArgumentException;

/**
 * The caller asked for something that can not be: a program has to be mended.
 */
final class InvalidRequest extends InvalidArgumentException implements SchemacastException
{
}
