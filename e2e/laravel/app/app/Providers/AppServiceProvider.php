<?php

declare(strict_types=1);

namespace App\Providers;

use App\Models\User;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Crypt;
use Illuminate\Support\ServiceProvider;

class AppServiceProvider extends ServiceProvider
{
    /**
     * A user is known by an encrypted id, sent as Echo's bearerToken is. It needs no
     * column that the existing app does not have.
     */
    public function boot(): void
    {
        Auth::viaRequest('signed-token', static function (Request $request): ?User {
            try {
                return User::find(Crypt::decryptString((string) $request->bearerToken()));
            } catch (\Illuminate\Contracts\Encryption\DecryptException $e) {
                return null;
            }
        });
    }
}
