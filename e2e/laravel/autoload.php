<?php

/**
 * Stands in for Composer's vendor/autoload.php, since no registry of packages is asked:
 * the framework is the one of Debian's php-laravel-framework, and the packages are
 * those that vendor/composer/installed.json of the application names.
 */

declare(strict_types=1);

/** @var string $vendor set by vendor/autoload.php, which includes this file */

set_include_path('/usr/share/php' . PATH_SEPARATOR . get_include_path());
require_once 'Illuminate/autoload.php';
require_once __DIR__ . '/stand-in/Pusher.php';

$prefixes = ['App\\' => dirname($vendor) . '/app/'];
$installed = json_decode((string) file_get_contents($vendor . '/composer/installed.json'), true);
foreach ($installed['packages'] as $package) {
    foreach ($package['autoload']['psr-4'] ?? [] as $prefix => $folder) {
        $prefixes[$prefix] = $package['install-path'] . '/' . $folder;
    }
    foreach ($package['autoload']['files'] ?? [] as $file) {
        require_once $package['install-path'] . '/' . $file;
    }
}

spl_autoload_register(static function (string $class) use ($prefixes): void {
    foreach ($prefixes as $prefix => $folder) {
        if (strncmp($class, $prefix, strlen($prefix)) !== 0) {
            continue;
        }
        $file = rtrim($folder, '/') . '/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
        if (is_file($file)) {
            require $file;

            return;
        }
    }
});
