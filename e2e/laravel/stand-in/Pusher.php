<?php

/**
 * The part of pusher/pusher-php-server 7 that Laravel's channel authorisation calls.
 * Debian has no package of it. Signing is all that it does: the application publishes
 * nothing.
 */

declare(strict_types=1);

namespace Pusher;

use RuntimeException;

class Pusher
{
    private string $key;

    private string $secret;

    private string $masterKey;

    /** @param array<string, mixed> $options */
    public function __construct(string $key, string $secret, string $appId, array $options = [])
    {
        $this->key = $key;
        $this->secret = $secret;
        $this->masterKey = base64_decode((string) ($options['encryption_master_key_base64'] ?? ''), true) ?: '';
    }

    // Laravel 8 calls it by this name, later versions by authorizeChannel.
    // phpcs:ignore PSR1.Methods.CamelCapsMethodName
    public function socket_auth(string $channel, string $socketId, ?string $customData = null): string
    {
        return $this->authorizeChannel($channel, $socketId, $customData);
    }

    public function authorizeChannel(string $channel, string $socketId, ?string $customData = null): string
    {
        if (!preg_match('/\A\d+\.\d+\z/', $socketId)) {
            throw new RuntimeException('Invalid socket ID ' . $socketId);
        }
        $answer = ['auth' => $this->key . ':' . hash_hmac('sha256', $socketId . ':' . $channel, $this->secret)];
        if (strncmp($channel, 'private-encrypted-', 18) === 0) {
            if (strlen($this->masterKey) !== 32) {
                throw new RuntimeException('encryption_master_key_base64 must hold 32 bytes');
            }
            $answer['shared_secret'] = base64_encode(hash('sha256', $channel . $this->masterKey, true));
        }

        return (string) json_encode($answer, JSON_UNESCAPED_SLASHES);
    }
}
