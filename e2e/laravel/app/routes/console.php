<?php

declare(strict_types=1);

use App\Models\User;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Crypt;

Artisan::command('app:user {tenant?}', function (?string $tenant = null): void {
    $user = User::create([
        'name' => 'Somebody',
        'email' => bin2hex(random_bytes(8)) . '@example.org',
        'tenant_id' => $tenant,
        'password' => 'nobody logs in with it',
    ]);
    $this->line((string) json_encode(['id' => $user->id, 'token' => Crypt::encryptString((string) $user->id)]));
})->purpose('Add a user of a tenant, a landlord without one, and print the id and a token');
