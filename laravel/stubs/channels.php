<?php

declare(strict_types=1);

// For routes/channels.php, with BROADCAST_CHANNEL=private or encrypted.

use Schemacast\Laravel\Channels;

// Users hear their own tenant; landlords, users without a tenant, hear none of them.
Channels::register();

// Or: landlords hear every tenant.
// Channels::register(static fn ($user, string $tenant): bool => $user->tenant_id === null);
