<?php

/** Stands in for Composer's, as that of e2e/laravel does. */

declare(strict_types=1);

set_include_path('/usr/share/php' . PATH_SEPARATOR . get_include_path());
require_once 'Illuminate/autoload.php';
require_once 'GuzzleHttp/autoload.php';
require_once __DIR__ . '/../app/Pusher.php';

spl_autoload_register(static function (string $class): void {
    $file = dirname(__DIR__) . '/app/' . str_replace('\\', '/', substr($class, strlen('App\\'))) . '.php';
    if (strncmp($class, 'App\\', 4) === 0 && is_file($file)) {
        require $file;
    }
});
