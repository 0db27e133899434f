<?php

/**
 * The part of pusher/pusher-php-server 7 that Laravel's broadcaster calls, over a bare
 * socket: Debian has no package of it, nor of Guzzle, on which it stands.
 */

declare(strict_types=1);

namespace Pusher;

class ApiErrorException extends \RuntimeException
{
}

class Pusher
{
    /** @param array<string, mixed> $options */
    public function __construct(
        private string $key,
        private string $secret,
        private string $appId,
        private array $options = []
    ) {
    }

    /**
     * @param array<int, string> $channels
     * @param array<string, mixed> $data
     * @param array<string, mixed> $parameters
     */
    public function trigger(array $channels, string $event, array $data, array $parameters = []): object
    {
        $body = (string) json_encode(['name' => $event, 'data' => json_encode($data), 'channels' => $channels] + $parameters);
        $path = '/apps/' . $this->appId . '/events';
        $query = 'auth_key=' . $this->key . '&auth_timestamp=' . time() . '&auth_version=1.0&body_md5=' . md5($body);
        $query .= '&auth_signature=' . hash_hmac('sha256', "POST\n" . $path . "\n" . $query, $this->secret);
        $url = $this->options['scheme'] . '://' . $this->options['host'] . ':' . $this->options['port'] . $path . '?' . $query;
        $answer = @file_get_contents($url, false, stream_context_create(['http' => [
            'method' => 'POST',
            'header' => "Content-Type: application/json\r\nConnection: close",
            'content' => $body,
            'timeout' => 30,
        ]]));
        if ($answer === false) {
            throw new ApiErrorException('no answer from ' . $this->options['host']);
        }

        return (object) json_decode($answer, true);
    }
}
