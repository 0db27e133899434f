<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Task;

/**
 * The part of asynq's TaskMessage that a producer sets, encoded as protobuf by hand:
 * nine fields do not justify a dependency. Zero values are omitted, as proto3 wants it,
 * and fields are in ascending order, so that equal messages are equal bytes.
 *
 * All strings must be valid UTF-8: a message that a worker can not decode stops its
 * crash recovery for all queues.
 */
final class Message
{
    private const FIELD_TYPE = 1;
    private const FIELD_PAYLOAD = 2;
    private const FIELD_ID = 3;
    private const FIELD_QUEUE = 4;
    private const FIELD_RETRY = 5;
    private const FIELD_TIMEOUT = 8;
    private const FIELD_DEADLINE = 9;
    private const FIELD_UNIQUE_KEY = 10;
    private const FIELD_RETENTION = 12;
    private const FIELD_HEADERS = 15;

    private const WIRE_VARINT = 0;
    private const WIRE_BYTES = 2;

    private int $retry = 0;
    private int $timeout = 0;
    private int $deadline = 0;
    private int $retention = 0;
    private string $uniqueKey = '';

    /** @var array<string, string> */
    private array $headers = [];

    public function __construct(
        private string $type,
        private string $payload,
        private string $id,
        private string $queue
    ) {
    }

    public function retry(int $times): self
    {
        $this->retry = $times;
        return $this;
    }

    public function timeout(int $seconds): self
    {
        $this->timeout = $seconds;
        return $this;
    }

    public function deadline(int $unixSeconds): self
    {
        $this->deadline = $unixSeconds;
        return $this;
    }

    public function retention(int $seconds): self
    {
        $this->retention = $seconds;
        return $this;
    }

    public function uniqueKey(string $key): self
    {
        $this->uniqueKey = $key;
        return $this;
    }

    /**
     * @param array<string, string> $headers
     */
    public function headers(array $headers): self
    {
        // By bytes, as Go sorts; "1" and "01" are equal to the default flag.
        ksort($headers, SORT_STRING);
        $this->headers = $headers;
        return $this;
    }

    public function encode(): string
    {
        $bytes = self::text(self::FIELD_TYPE, $this->type)
            . self::text(self::FIELD_PAYLOAD, $this->payload)
            . self::text(self::FIELD_ID, $this->id)
            . self::text(self::FIELD_QUEUE, $this->queue)
            . self::number(self::FIELD_RETRY, $this->retry)
            . self::number(self::FIELD_TIMEOUT, $this->timeout)
            . self::number(self::FIELD_DEADLINE, $this->deadline)
            . self::text(self::FIELD_UNIQUE_KEY, $this->uniqueKey)
            . self::number(self::FIELD_RETENTION, $this->retention);
        foreach ($this->headers as $name => $value) {
            // Both halves of a map entry are always written, also empty ones.
            $entry = self::bytes(1, (string) $name) . self::bytes(2, $value);
            $bytes .= self::bytes(self::FIELD_HEADERS, $entry);
        }
        return $bytes;
    }

    private static function text(int $field, string $value): string
    {
        return $value === '' ? '' : self::bytes($field, $value);
    }

    private static function number(int $field, int $value): string
    {
        return $value === 0 ? '' : self::varint($field << 3 | self::WIRE_VARINT) . self::varint($value);
    }

    private static function bytes(int $field, string $value): string
    {
        return self::varint($field << 3 | self::WIRE_BYTES) . self::varint(strlen($value)) . $value;
    }

    /**
     * No number here is negative.
     */
    private static function varint(int $value): string
    {
        $bytes = '';
        while ($value > 0x7f) {
            $bytes .= chr($value & 0x7f | 0x80);
            $value >>= 7;
        }
        return $bytes . chr($value);
    }
}
