<?php

declare(strict_types=1);

// Runs one artisan command in an application of the tests, on the servers that the
// environment names: APP_POSTGRES (a URL) and APP_REDIS (host:port).

use Illuminate\Contracts\Console\Kernel;
use Schemacast\Laravel\Tests\Ground\TestApp;
use Symfony\Component\Console\Input\ArgvInput;
use Symfony\Component\Console\Output\ConsoleOutput;

require __DIR__ . '/bootstrap.php';

$app = TestApp::make((string) getenv('APP_POSTGRES'), (string) (getenv('APP_REDIS') ?: '127.0.0.1:6379'));
exit($app->make(Kernel::class)->handle(new ArgvInput(), new ConsoleOutput()));
