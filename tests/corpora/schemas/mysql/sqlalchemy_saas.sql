SET foreign_key_checks = 0;
CREATE TABLE `api_keys` (
  `id` int NOT NULL AUTO_INCREMENT,
  `tenant_id` char(32) NOT NULL,
  `digest` varchar(64) NOT NULL,
  `scopes` json NOT NULL,
  `expires_at` datetime(6) DEFAULT NULL,
  `revoked` tinyint(1) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `digest` (`digest`),
  KEY `tenant_id` (`tenant_id`),
  CONSTRAINT `api_keys_ibfk_1` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `comments` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `task_id` bigint NOT NULL,
  `author_id` bigint NOT NULL,
  `body` text NOT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT (now()),
  PRIMARY KEY (`id`),
  KEY `task_id` (`task_id`),
  KEY `author_id` (`author_id`),
  CONSTRAINT `comments_ibfk_1` FOREIGN KEY (`task_id`) REFERENCES `tasks` (`id`),
  CONSTRAINT `comments_ibfk_2` FOREIGN KEY (`author_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `invoices` (
  `id` int NOT NULL AUTO_INCREMENT,
  `tenant_id` char(32) NOT NULL,
  `number` varchar(20) NOT NULL,
  `issued` date NOT NULL,
  `paid_on` date DEFAULT NULL,
  `net` decimal(12,2) NOT NULL,
  `tax_rate` decimal(4,3) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `tenant_id` (`tenant_id`),
  CONSTRAINT `invoices_ibfk_1` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `members` (
  `tenant_id` char(32) NOT NULL,
  `user_id` bigint NOT NULL,
  `role` enum('owner','admin','member','guest') NOT NULL,
  `invited_at` datetime(6) NOT NULL,
  PRIMARY KEY (`tenant_id`,`user_id`),
  KEY `user_id` (`user_id`),
  CONSTRAINT `members_ibfk_1` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`),
  CONSTRAINT `members_ibfk_2` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `projects` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `tenant_id` char(32) NOT NULL,
  `name` varchar(160) NOT NULL,
  `archived_at` datetime(6) DEFAULT NULL,
  `due` date DEFAULT NULL,
  `budget` decimal(12,2) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `tenant_id` (`tenant_id`),
  CONSTRAINT `projects_ibfk_1` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `tasks` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `project_id` bigint NOT NULL,
  `parent_id` bigint DEFAULT NULL,
  `assignee_id` bigint DEFAULT NULL,
  `title` varchar(200) NOT NULL,
  `body` text NOT NULL,
  `state` enum('todo','doing','done') NOT NULL,
  `priority` int NOT NULL,
  `estimate` datetime DEFAULT NULL,
  `labels` json NOT NULL,
  `due_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `project_id` (`project_id`),
  KEY `parent_id` (`parent_id`),
  KEY `assignee_id` (`assignee_id`),
  CONSTRAINT `tasks_ibfk_1` FOREIGN KEY (`project_id`) REFERENCES `projects` (`id`),
  CONSTRAINT `tasks_ibfk_2` FOREIGN KEY (`parent_id`) REFERENCES `tasks` (`id`),
  CONSTRAINT `tasks_ibfk_3` FOREIGN KEY (`assignee_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `tenants` (
  `id` char(32) NOT NULL,
  `slug` varchar(60) NOT NULL,
  `name` varchar(120) NOT NULL,
  `plan` varchar(20) NOT NULL,
  `settings` json NOT NULL,
  `trial_ends` date DEFAULT NULL,
  `created_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `slug` (`slug`)
) ENGINE=InnoDB;
CREATE TABLE `usage_events` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `tenant_id` char(32) NOT NULL,
  `kind` varchar(40) NOT NULL,
  `amount` bigint NOT NULL,
  `at` datetime(6) NOT NULL,
  `payload` json NOT NULL,
  PRIMARY KEY (`id`),
  KEY `tenant_id` (`tenant_id`),
  CONSTRAINT `usage_events_ibfk_1` FOREIGN KEY (`tenant_id`) REFERENCES `tenants` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `users` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `email` varchar(190) NOT NULL,
  `full_name` varchar(120) NOT NULL,
  `last_ip` varchar(45) DEFAULT NULL,
  `last_seen` datetime(6) DEFAULT NULL,
  `is_active` tinyint(1) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `email` (`email`)
) ENGINE=InnoDB;
