<?php

declare(strict_types=1);

// Laravel comes from Composer's vendor folder where there is one, else from the system's
// packages in PHP's include path.
$vendor = dirname(__DIR__) . '/vendor/autoload.php';
if (is_file($vendor)) {
    require $vendor;
} else {
    require 'Illuminate/autoload.php';
    require 'Predis/autoload.php';
}

spl_autoload_register(static function (string $class): void {
    foreach (['Schemacast\\Laravel\\Tests\\' => __DIR__ . '/', 'Schemacast\\Laravel\\' => dirname(__DIR__) . '/src/'] as $prefix => $folder) {
        if (str_starts_with($class, $prefix)) {
            $file = $folder . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
            if (is_file($file)) {
                require $file;
            }
            return;
        }
    }
});
