<?php

declare(strict_types=1);

use Schemacast\Laravel\Channels;

Channels::register();
