<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Exceptions;

use Throwable;

/**
 * Everything that this package throws. The message is a sentence that names the thing,
 * the value and the cure.
 */
interface SchemacastException extends Throwable
{
}
