<?php

declare(strict_types=1);

return [
    'defaults' => ['guard' => 'token', 'passwords' => 'users'],
    'guards' => ['token' => ['driver' => 'signed-token']],
    'providers' => ['users' => ['driver' => 'eloquent', 'model' => App\Models\User::class]],
];
