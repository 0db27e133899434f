<?php

declare(strict_types=1);

namespace Schemacast\Laravel;

use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Support\Facades\Broadcast;

/**
 * Says who may listen to which channel. It matters with BROADCAST_CHANNEL=private or
 * encrypted; Laravel takes the prefixes private- and private-encrypted- off before it
 * asks. Public channels ask nobody.
 *
 *     tenant.{tenant_id}.schemas  users of this tenant
 *     user.{user_id}.schemas      this user
 *
 * A landlord, a user without a tenant, hears no tenant by itself.
 */
final class Channels
{
    // Names of parameters that no route of an app is likely to bind to a model.
    private const TENANT = 'tenant.{tenant_id}.schemas';
    private const USER = 'user.{user_id}.schemas';

    /**
     * Call it in routes/channels.php.
     *
     * @param (callable(Authenticatable, string): bool)|null $also who else may listen to a tenant: is asked
     *                                                             for users of no tenant or of another one
     */
    public static function register(?callable $also = null): void
    {
        $attribute = (string) config('schemacast.tenant_attribute', 'tenant_id');
        // No types: Laravel would bind by them. An id that does not match is left out.
        Broadcast::channel(self::TENANT, static function ($user, $tenant = '') use ($attribute, $also): bool {
            if (!self::asked('tenant', $tenant)) {
                return false;
            }
            $own = $user->{$attribute} ?? null;
            return ($own !== null && (string) $own === $tenant) || ($also !== null && $also($user, $tenant) === true);
        });
        Broadcast::channel(self::USER, static fn ($user, $id = ''): bool => self::asked('user', $id)
            && (string) $user->getAuthIdentifier() === $id);
    }

    /**
     * Laravel takes the id from the beginning of the name: of "tenant.8.schemas.x.schemas"
     * it finds 8, although that is the channel of a tenant "8.schemas.x".
     */
    private static function asked(string $kind, mixed $id): bool
    {
        $channel = preg_replace('/\A(?:private-encrypted-|private-)/', '', (string) request('channel_name'));
        return is_string($id) && $id !== '' && $channel === "{$kind}.{$id}.schemas";
    }
}
