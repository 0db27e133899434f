<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Illuminate\Auth\GenericUser;
use Illuminate\Broadcasting\Broadcasters\Broadcaster;
use Illuminate\Broadcasting\Broadcasters\UsePusherChannelConventions;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Broadcast;
use Schemacast\Laravel\Channels;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/**
 * Who may listen to what, asked as Laravel's Pusher broadcaster asks.
 */
final class ChannelsTest extends PackageTestCase
{
    /**
     * @dataProvider subscriptions
     */
    public function testSubscription(bool $allowed, string $channel, ?string $tenant, int|string $id = 5): void
    {
        self::assertSame($allowed, $this->mayListen($channel, new GenericUser(['id' => $id, 'tenant_id' => $tenant])));
    }

    public function subscriptions(): array
    {
        return [
            'own tenant' => [true, 'private-tenant.t1.schemas', 't1'],
            'own tenant, encrypted' => [true, 'private-encrypted-tenant.t1.schemas', 't1'],
            'own tenant, a number' => [true, 'private-tenant.8.schemas', '8'],
            'another tenant' => [false, 'private-tenant.t2.schemas', 't1'],
            'another tenant, encrypted' => [false, 'private-encrypted-tenant.t2.schemas', 't1'],
            'another case' => [false, 'private-tenant.T1.schemas', 't1'],
            'numbers that PHP would find equal' => [false, 'private-tenant.08.schemas', '8'],
            'and these' => [false, 'private-tenant.1e1.schemas', '10'],
            'a landlord' => [false, 'private-tenant.t1.schemas', null],
            'a landlord and no tenant' => [false, 'private-tenant..schemas', null],
            'a user with an empty tenant' => [false, 'private-tenant..schemas', ''],
            'a tenant whose id spells more of the name' => [false, 'private-tenant.t1.schemas.x.schemas', 't1'],
            'an id with a dot' => [false, 'private-tenant.t1.x.schemas', 't1'],
            'a prefix twice' => [false, 'private-private-tenant.t1.schemas', 't1'],
            'another channel' => [false, 'private-tenant.t1.secrets', 't1'],
            'own user' => [true, 'private-user.5.schemas', 't1'],
            'own user, encrypted' => [true, 'private-encrypted-user.5.schemas', null],
            'another user' => [false, 'private-user.6.schemas', 't1'],
            'a user whose id spells more of the name' => [false, 'private-user.5.schemas.x.schemas', 't1'],
            'a user with a text for an id' => [true, 'private-user.01HZX.schemas', 't1', '01HZX'],
            'the other kind of id' => [false, 'private-user.t1.schemas', 't1'],
        ];
    }

    public function testWhoIsNotLoggedInHearsNothing(): void
    {
        self::assertFalse($this->mayListen('private-tenant.t1.schemas', null));
    }

    public function testLandlordsMayBeLetIn(): void
    {
        $also = static fn ($user, string $tenant): bool => $user->tenant_id === null && $tenant === 't1';
        $landlord = new GenericUser(['id' => 1, 'tenant_id' => null]);
        self::assertTrue($this->mayListen('private-tenant.t1.schemas', $landlord, $also));
        self::assertFalse($this->mayListen('private-tenant.t2.schemas', $landlord, $also));
        self::assertFalse($this->mayListen('private-user.2.schemas', $landlord, $also));
    }

    public function testAnotherAttributeOfTheUser(): void
    {
        $this->boot(['schemacast.tenant_attribute' => 'organisation']);
        self::assertTrue($this->mayListen('private-tenant.t1.schemas', new GenericUser(['id' => 5, 'organisation' => 't1'])));
    }

    private function mayListen(string $channel, ?GenericUser $user, ?callable $also = null): bool
    {
        $request = Request::create('/broadcasting/auth', 'POST', ['channel_name' => $channel, 'socket_id' => '1.2']);
        $this->app->instance('request', $request);
        $request->setUserResolver(static fn () => $user);
        $broadcaster = $this->broadcaster();
        $this->app['config']->set('broadcasting.connections.test', ['driver' => 'test']);
        $this->app['config']->set('broadcasting.default', 'test');
        Broadcast::purge('test');
        Broadcast::extend('test', static fn () => $broadcaster);
        Channels::register($also);
        try {
            return $broadcaster->auth($request) === ['auth' => 'signed'];
        } catch (AccessDeniedHttpException) {
            return false;
        }
    }

    /**
     * Laravel's PusherBroadcaster without the signature, for which it needs a package
     * that is not here.
     */
    private function broadcaster(): Broadcaster
    {
        return new class () extends Broadcaster {
            use UsePusherChannelConventions;

            public function auth($request)
            {
                $channel = $this->normalizeChannelName($request->channel_name);
                if ($this->isGuardedChannel($request->channel_name) && !$this->retrieveUser($request, $channel)) {
                    throw new AccessDeniedHttpException();
                }
                return $this->verifyUserCanAccessChannel($request, $channel);
            }

            public function validAuthenticationResponse($request, $result)
            {
                return ['auth' => 'signed'];
            }

            public function broadcast(array $channels, $event, array $payload = []): void
            {
            }
        };
    }
}
