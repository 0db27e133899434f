<?php

/**
 * The part of pusher/pusher-php-server 7 that Laravel's broadcaster calls, over Guzzle as
 * there: Debian has no package of it.
 */

declare(strict_types=1);

namespace Pusher;

use GuzzleHttp\Client;
use GuzzleHttp\Exception\ConnectException;

class ApiErrorException extends \RuntimeException
{
}

class Pusher
{
    private Client $client;

    /** @param array<string, mixed> $options */
    public function __construct(
        private string $key,
        private string $secret,
        private string $appId,
        private array $options = []
    ) {
        $this->client = new Client();
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
        $query = [
            'auth_key' => $this->key,
            'auth_timestamp' => (string) time(),
            'auth_version' => '1.0',
            'body_md5' => md5($body),
        ];
        $signed = "POST\n" . $path . "\n" . http_build_query($query);
        $query['auth_signature'] = hash_hmac('sha256', $signed, $this->secret);
        try {
            $response = $this->client->post($this->options['scheme'] . '://' . $this->options['host'] . ':' . $this->options['port'] . $path, [
                'query' => $query,
                'body' => $body,
                'http_errors' => false,
                'headers' => ['Content-Type' => 'application/json'],
                'timeout' => 30,
            ]);
        } catch (ConnectException $e) {
            throw new ApiErrorException($e->getMessage());
        }
        $status = $response->getStatusCode();
        if ($status !== 200) {
            throw new ApiErrorException((string) $response->getBody(), $status);
        }

        return (object) json_decode((string) $response->getBody(), true);
    }
}
